import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readImportRow } from '../../src/core/users/import-columns.ts';
import { signInWith } from '../capabilities/admin/administrator.ts';
import { createAuthenticator } from '../capabilities/second-factor/authenticator.ts';
import { ann, password, startJanua } from '../janua.ts';

async function open() {
  const janua = await startJanua({ settings: { SIGN_UP: 'on', PUBLIC_URL: 'http://localhost:5000' } });
  const admin = await signInWith(janua, 'users:read', 'users:write', 'clients:write');
  const user = (await janua.logIn()).bearer;
  return {
    ...janua,
    /** The fields that are refused. */
    async faultsOf(url: string, fields: object): Promise<string[]> {
      const answer = await janua.post(url, fields, url.startsWith('/api/admin') ? admin : user);
      if (answer.statusCode !== 422) return [];
      return answer.json<{ errors: { field: string }[] }>().errors.map(({ field }) => field);
    },
  };
}

/** U+202E shows what follows backwards, so that `‮moc.elpmaxe` looks like `example.com`. */
const deceptive = [
  '\u202e',
  '\u2066',
  '\u200f',
  '\u061c',
  '\u2028',
  '\u2029',
  '\u200b',
  '\ufeff',
  '\u00ad',
  '\u{e0041}',
  '\u0007',
];
/** Persian, Hindi, and an emoji of several: they need joiners. */
const honest = ['می\u200cخواهم', 'क्\u200dष', '👩\u200d💻', 'Zoë O’Neil'];

test('no name can hold characters that hide or turn text around', async () => {
  await using janua = await open();
  const { faultsOf, tokenTo } = janua;
  await janua.post('/api/sign-up', { email: 'new@example.com' });
  const token = await tokenTo('new@example.com');
  const client = { redirect_uris: ['https://wiki.example.com/callback'] };
  for (const [url, field, others] of [
    ['/api/account/profile', 'first_name', { last_name: 'A' }],
    ['/api/account/profile', 'last_name', { first_name: 'A' }],
    ['/api/account/tokens', 'name', { expires_in_days: '1' }],
    ['/api/account/security/passkeys/rename', 'name', { id: 'x' }],
    ['/api/admin/users', 'first_name', { email: 'bob@example.com' }],
    ['/api/admin/groups', 'description', { name: 'Not a name!' }],
    ['/api/admin/clients/add', 'name', client],
    ['/api/sign-up/finish', 'first_name', { token, last_name: 'A', password: 'too short' }],
  ] as const) {
    for (const odd of deceptive) {
      const fields: Record<string, unknown> = { ...others, [field]: `Ann${odd}Archer` };
      // The group is refused for its name first.
      if (url === '/api/admin/groups') fields.name = 'staff';
      assert.deepEqual(await faultsOf(url, fields), [field], `${url} ${JSON.stringify(odd)}`);
    }
    for (const good of honest)
      assert.ok(!(await faultsOf(url, { ...others, [field]: good })).includes(field), `${url} ${good}`);
  }
  // A passkey that was made already is kept, under the name of its provider.
  const { bearer } = await janua.logIn();
  const security = '/api/account/security';
  const asked = await janua.post(`${security}/passkeys/options`, undefined, bearer);
  const [{ name, value } = assert.fail(asked.body)] = asked.cookies;
  const sent = { credential: createAuthenticator().create(asked.json()), name: `My${deceptive.join('')}key` };
  const headers = { ...bearer, cookie: `${name}=${value}` };
  const { access_token } = (await janua.post(`${security}/passkeys`, sent, headers)).json();
  const listed = await janua.get(security, { authorization: `Bearer ${access_token}` });
  assert.match(listed.json().passkeys[0].name, /^[\w ]+\(\w+\)$/);
});

/** Texts that mail programs and people may take for `ann@example.com`. */
const lookAlikes = [
  'ａnn@example.com',
  'ａｎｎ@example.com',
  'ann\ufe00\u2024a@example.com',
  'ⓐnn@example.com',
  'ann\ufe00@example.com',
  'ﾀﾅｶ@example.com',
  'ªnn@example.com',
  // A Cyrillic letter in a Latin word, and a Latin word of Cyrillic letters alone.
  'аnn@example.com',
  'кate@example.com',
  'ann@exаmple.com',
  'ann@my-exаmple.com',
  'ann@сосо.com',
  'аѕе@example.com',
  // Letters and signs that look like `i`, `a`, `g`, `-` and `'`.
  'ınn@example.com',
  'i\u0307nn@example.com',
  'ɑnn@example.com',
  'ann@ɡoogle.com',
  'ann‐archer@example.com',
  'oʼneil@example.com',
  'ann1٠@example.com',
  // Source routing: a mail server may send these on to another host.
  'ann%example.org@example.com',
  'example.org!ann@example.com',
];

test('no new account and no new address looks like that of another user', async () => {
  await using janua = await open();
  const { services, faultsOf } = janua;
  for (const email of lookAlikes) {
    for (const url of ['/api/sign-up', '/api/account/email'])
      assert.deepEqual(await faultsOf(url, { email, current_password: password }), ['email'], `${url} ${email}`);
    assert.deepEqual(await faultsOf('/api/admin/users', { email, first_name: 'A' }), ['email'], email);
    const message = /must not look like another address/;
    await assert.rejects(services.administration.add({ ...ann, username: email, password }), { message }, email);
    assert.throws(() => readImportRow({ username: email }, new Set()), { message }, email);
  }
  // A composed letter is no look-alike.
  for (const email of ['zoe\u0308@example.com', 'zoë2@example.com', 'bob@ｅxample.com'])
    assert.deepEqual(await faultsOf('/api/sign-up', { email }), [], email);

  // An account from before still signs in, and can reset its password.
  const passwordHash = (await services.users.findByUsername(ann.username))?.passwordHash ?? '';
  for (const username of [lookAlikes[0] ?? '', 'аnn@example.com', 'ann%example.org@example.com']) {
    await services.registry?.add({ ...ann, username, passwordHash, demo: false });
    assert.equal((await janua.get('/api/me', (await janua.logIn(username)).bearer)).json().username, username);
    assert.equal((await janua.post('/api/forgot-password', { email: username })).statusCode, 202);
    await janua.tokenTo(username);
  }
});

test('an address that looks like another one is refused in the language of the user', async () => {
  await using janua = await open();
  const errorOf = async (email: string, language: string) => {
    const answer = await janua.post('/auth/sign-up', { email }, { 'accept-language': language });
    return /id="email-error"[^>]*>([^<]*)/.exec(answer.body)?.[1];
  };
  for (const [language, words] of [
    ['en', /several alphabets/],
    ['de', /mehrerer Alphabete/],
    ['es', /varios alfabetos/],
    ['fr', /plusieurs alphabets/],
    ['vi', /nhiều bảng chữ cái/],
  ] as const) {
    assert.match((await errorOf('аnn@example.com', language)) ?? '', words);
    assert.doesNotMatch((await errorOf('ann', language)) ?? '', words);
  }
});
