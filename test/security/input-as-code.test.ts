import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { wiki } from '../capabilities/oidc/application.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { form, json } from '../web/faces.ts';

/** A command would make it. */
const trace = join(tmpdir(), `janua-command-${process.pid}`);
/** A program in this process would set it. */
const mark = 'ranInput';

/** Texts that do something where they are run, and not where they are only text. */
const texts = {
  'a program': `globalThis.${mark}=1`,
  'a program that ends another text': `'+(globalThis.${mark}=1)+'`,
  'a template': `<% globalThis.${mark}=1 %>`,
  'a template literal': `\${globalThis.${mark}=1}`,
  'a command': `;touch ${trace};`,
  'a command within another': `$(touch ${trace})`,
  'a broken regular expression': '(',
};

let janua: TestJanua;
let cookie: Record<string, string>;
before(async () => {
  janua = await startJanua({ settings: { ADMINISTRATORS: [ann.username] } });
  ({ cookie } = await janua.logIn());
  await janua.services.clientAdministration.addClient(wiki);
});
after(() => janua[Symbol.asyncDispose]());

describe('the server takes text from outside as text', () => {
  for (const [what, text] of Object.entries(texts))
    test(what, async () => {
      const inQuery = encodeURIComponent(text);
      const encoded = Buffer.from(text).toString('base64url');
      const credential = { id: 'x', type: 'public-key', response: { clientDataJSON: encoded } };
      const name = form({ first_name: text, last_name: text });
      const headers = { ...name.headers, ...cookie };
      for (const request of [
        { method: 'POST' as const, url: '/account/profile', ...name, headers },
        { url: '/auth/home', headers: cookie },
        { url: `/auth/login?state=${inQuery}&next=${inQuery}&account=${inQuery}` },
        { url: `/auth/login?next=/${inQuery}` },
        { url: `/${inQuery}` },
        { url: `/admin/users?q=${inQuery}`, headers: cookie },
        { url: `/admin/users?group=${inQuery}`, headers: cookie },
        { url: `/admin/users?cursor=${encoded}`, headers: cookie },
        { url: `/oidc/logout?id_token_hint=${encoded}.${encoded}.x` },
        { url: '/admin/me', headers: { ...cookie, 'user-agent': text, 'accept-language': text, 'x-request-id': text } },
        { url: '/admin/me', headers: { 'x-expected-format': text, cookie: `session=${text}; language=${text}` } },
        { method: 'POST' as const, url: '/auth/token', ...form({ username: text, password: text, next: `/${text}` }) },
        { method: 'POST' as const, url: '/api/login', ...form({ username: ann.username, password, scope: text }) },
        { method: 'POST' as const, url: '/api/passkey', ...json({ credential: text }) },
        { method: 'POST' as const, url: '/api/passkey', ...json({ credential }) },
        {
          method: 'POST' as const,
          url: '/auth/token',
          ...form({ username: ann.username, password, next: `/${text}` }),
        },
      ]) {
        const answer = await janua.send(request);
        assert.ok(answer.statusCode < 500, `${request.url}: ${answer.statusCode}`);
        // The login page shows the name of a failed login again.
        const shown = answer.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
        if (shown !== '') await janua.get('/auth/login?state=3', { cookie: shown });
      }
      const me = await janua.get('/api/me', cookie);
      assert.equal(me.json().first_name, text, 'a name is kept as it was typed');
      assert.equal(Reflect.get(globalThis, mark), undefined);
      assert.ok(!existsSync(trace));
    });
});

test('a form or a program that names a prototype changes no other object', async () => {
  for (const sent of [
    ...[
      `__proto__.${mark}`,
      `__proto__[${mark}]`,
      `constructor.prototype.${mark}`,
      `constructor[prototype][${mark}]`,
    ].map((name) => form({ [name]: 'on' })),
    ...[`{"__proto__":{"${mark}":"on"}}`, `{"constructor":{"prototype":{"${mark}":"on"}}}`].map((payload) => ({
      ...json({}),
      payload,
    })),
  ]) {
    await janua.app.inject({ method: 'POST', url: '/api/language', ...sent });
    assert.equal(Reflect.get({}, mark), undefined, String(sent.payload));
  }
});

test('a login ignores the fields that it does not know, however many stand before its own', async () => {
  const unknown = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`unknown${index}`, '']));
  for (const body of [form, json]) {
    const sent = body({ ...unknown, username: ann.username, password });
    assert.equal((await janua.app.inject({ method: 'POST', url: '/api/login', ...sent })).statusCode, 200, body.name);
  }
});

test('a field for text takes no other type', async () => {
  for (const language of [7, 0.5, true, null, {}, ['de']]) {
    const { statusCode } = await janua.post('/api/language', { language });
    assert.equal(statusCode, 400, JSON.stringify(language));
  }
});

for (const [where, env] of [
  ['the launcher leaves its place to', {}],
  ['the launcher stays beside, below npm,', { npm_command: 'run' }],
] as const)
  test(`a command that ${where} gets its arguments as text`, async () => {
    const launcher = fileURLToPath(new URL('../../bin/janua.mjs', import.meta.url));
    const { promise, resolve } = Promise.withResolvers<string>();
    const args = [launcher, 'explain', ...Object.values(texts)];
    execFile(process.execPath, args, { env: { PATH: process.env.PATH, ...env } }, (_error, _output, told) =>
      resolve(told),
    );
    assert.match(await promise, new RegExp(`Expected 1 argument but got ${Object.keys(texts).length}`));
    assert.ok(!existsSync(trace));
  });
