import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as openid from 'openid-client';
import { readTable } from '../../../src/capabilities/oidc/clients/claim-form.ts';
import { events } from '../../../src/capabilities/oidc/events.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
import { ann } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { introspect, openProvider, requireAnswer } from './application.ts';
import { Browser } from './browser.ts';

const everywhere = 'id_token,userinfo,access_token,introspection';

const payloadOf = (token = '') => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

const pick = (claims: object | undefined, names: readonly string[]) =>
  Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(claims ?? {}, name) ? [[name, Reflect.get(claims ?? {}, name)]] : [])),
  );

async function open(options: Parameters<typeof openProvider>[0] = {}) {
  const server = await openProvider(options);
  const { administration } = server.janua.services;
  for (const name of ['editors', 'readers', 'secret-group'])
    await administration.addGroup({ name, description: '', scopes: [] });
  await administration.changeGroups(ann.username, { add: ['editors', 'secret-group'] });
  const add = (lines: readonly string[], more: object = {}) =>
    server.addApplication({ claims: readTable(lines.join('\n')), ...more });
  return { ...server, administration, add, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] as const)
  describe(`the table of a client, ${stores.users}`, {
    skip: missing(stores.users, ...(stores.sessions === 'Redis' ? (['Redis'] as const) : [])),
  }, () => {
    test('sets claims in each token and response, and nowhere else', async () => {
      await using server = await open({ stores });
      const { administration, janua } = server;
      await janua.services.clientAdministration.addResource({
        uri: 'https://api.example.com',
        scopes: ['read'],
        tokenFormat: 'jwt',
      });
      await administration.setClaims(ann.username, () => ({ department: 'research', tags: ['b'] }));
      await administration.setGroupClaims('editors', () => ({ tier: 3, department: 'all' }));
      await administration.setHandle(ann.username, 'ann');
      await administration.verify(ann.username);
      const names = ['roles', 'dept', 'tier', 'mail', 'nick', 'uid', 'who', 'kind', 'preferred_username', 'groups'];
      const rows = [
        `roles@${everywhere}=groups:editors=editor,readers=reader`,
        `dept@${everywhere}=claim:department`,
        `tier@userinfo=claim:tier`,
        `mail@id_token=address`,
        `nick@access_token=handle`,
        `uid@introspection=id`,
        'who=name',
        'kind=constant:a person & more',
        'preferred_username@id_token,userinfo,introspection=handle',
        'groups@userinfo=groups:editors',
      ];
      const app = await server.add(rows);
      const browser = await server.browser();
      const tokens = await app.signIn(browser);
      const sub = tokens.claims()?.sub ?? '';
      assert.deepEqual(pick(tokens.claims(), names), {
        roles: ['editor'],
        dept: 'research',
        mail: ann.username,
        who: 'Ann Archer',
        kind: 'a person & more',
        preferred_username: 'ann',
      });
      assert.equal(tokens.claims()?.email, ann.username);
      const userinfo = await openid.fetchUserInfo(app.config, tokens.access_token, sub);
      assert.deepEqual(pick(userinfo, names), {
        roles: ['editor'],
        dept: 'research',
        tier: 3,
        who: 'Ann Archer',
        kind: 'a person & more',
        preferred_username: 'ann',
        groups: ['editors'],
      });
      const said = await introspect(app, tokens.access_token);
      assert.deepEqual(pick(said, [...names, 'username', 'email']), {
        roles: ['editor'],
        dept: 'research',
        uid: sub,
        preferred_username: 'ann',
        username: 'ann',
      });
      // A refresh token lasts long, so that its response names nobody.
      assert.deepEqual(pick(await introspect(app, tokens.refresh_token), [...names, 'username']), {});
      const parameters = { scope: 'openid read', resource: 'https://api.example.com' };
      const signed = await app.signIn(browser, parameters);
      const payload = payloadOf(signed.access_token);
      assert.deepEqual(pick(payload, names), { roles: ['editor'], dept: 'research', nick: 'ann' });
      assert.equal(payload.sub, sub);
    });

    test('says what holds at the next token and at userinfo', async () => {
      await using server = await open({ stores });
      const { administration } = server;
      await administration.setGroupClaims('editors', () => ({ department: 'all' }));
      const app = await server.add(['roles=groups:editors=editor', 'dept=claim:department']);
      const tokens = await app.signIn(await server.browser());
      assert.deepEqual(pick(tokens.claims(), ['roles', 'dept']), { roles: ['editor'], dept: 'all' });
      await administration.removeGroup('editors');
      const userinfo = await openid.fetchUserInfo(app.config, tokens.access_token, tokens.claims()?.sub ?? '');
      assert.deepEqual(pick(userinfo, ['roles', 'dept']), { roles: [] });
      const next = await openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '');
      assert.deepEqual(pick(next.claims(), ['roles', 'dept']), { roles: [] });
    });
  });

test('an address that nothing proves is in no claim of the table but the user name', async () => {
  await using server = await open();
  const app = await server.add(['mail=address', 'preferred_username=address', 'email=address']);
  const tokens = await app.signIn(await server.browser());
  assert.deepEqual(pick(tokens.claims(), ['mail', 'preferred_username', 'email']), {
    preferred_username: ann.username,
  });
  await server.administration.verify(ann.username);
  const next = await openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '');
  assert.deepEqual(pick(next.claims(), ['mail', 'email']), { mail: ann.username, email: ann.username });
});

test('the page of the consent names the claims, and asks again when the table changes', async () => {
  await using server = await open();
  const app = await server.add(['roles=groups:editors', 'dept=claim:department'], { own: false });
  const browser = await server.browser();
  const begun = await app.begin();
  const page = await browser.open(begun.address);
  assert.match(page.text, /<li>Further data: roles, dept<\/li>/);
  const shown = /name="shown" value="([^"]+)"/.exec(page.text)?.[1] ?? '';
  await app.finish(begun, requireAnswer(await browser.submit(page.url.pathname, { shown, decision: 'allow' })));
  assert.ok((await app.signIn(browser)).id_token);
  const { clientAdministration } = server.janua.services;
  await clientAdministration.changeClient(app.clientId, { claims: readTable('roles=groups:readers') });
  const again = await browser.open((await app.begin()).address);
  assert.ok(!again.isElsewhere);
  assert.match(again.text, /<li>Further data: roles<\/li>/);
});

test('janua explain says why a claim of a sign-in is empty', async () => {
  await using server = await open();
  const app = await server.add([
    'dept=claim:department',
    'nick=handle',
    'mail=address',
    'roles=groups:readers',
    'who=name',
  ]);
  const browser = await server.browser();
  const explained = async () => {
    const [event = assert.fail()] = (await server.janua.events({ kind: 'application-signed-in' })).toReversed();
    return explain(event, events, { username: ann.username }).map((line) => line.join(' '));
  };
  await app.signIn(browser);
  const lines = await explained();
  assert.ok(
    lines.includes(
      'Because dept is empty: neither the user nor one of the groups has the custom claim; nick is empty: the user has no handle; ' +
        'mail is empty: the address is not verified; roles is empty: the user is in none of the groups',
    ),
    lines.join('\n'),
  );
  assert.match(
    lines.at(-1) ?? '',
    new RegExp(`^To do .*janua clients show ${app.clientId}, janua users claims ${ann.username}`),
  );
  const { clientAdministration } = server.janua.services;
  await clientAdministration.changeClient(app.clientId, { claims: readTable('who=name') });
  await app.signIn(browser);
  assert.doesNotMatch((await explained()).join('\n'), /Because|To do/);
});

test('a browser of another user gets that user’s claims', async () => {
  await using server = await open();
  await server.administration.setClaims(ann.username, () => ({ department: 'research' }));
  const app = await server.add(['dept=claim:department']);
  const username = 'ben@example.com';
  await server.janua.people.add({ username, firstName: 'Ben', lastName: 'B', password: 'correct horse battery' });
  const browser = new Browser(server.origin);
  await browser.logIn(username, 'correct horse battery');
  assert.deepEqual(pick((await app.signIn(browser)).claims(), ['dept']), {});
});
