import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  createClientSecret,
  firstSecret,
  withSecret,
} from '../../../../src/capabilities/oidc/clients/client-secrets.ts';
import { createClients, type NewClient } from '../../../../src/capabilities/oidc/clients/clients.ts';
import { outlivesSession } from '../../../../src/capabilities/oidc/clients/library-client.ts';
import { createResources } from '../../../../src/capabilities/oidc/resources/resources.ts';
import { createConsents } from '../../../../src/capabilities/oidc/sign-in/consents.ts';
import { hashSecret } from '../../../../src/core/sessions/credential.ts';
import type { Held } from '../../../../src/core/users/held.ts';
import { openMigrated } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';

const start = Date.UTC(2026, 10, 28);
const wiki: NewClient = {
  name: 'Wiki',
  redirectUris: ['https://wiki.example.com/callback', 'https://wiki.example.com/other?x=1'],
  postLogoutRedirectUris: ['https://wiki.example.com/'],
  backchannelLogoutUri: 'https://wiki.example.com/logout',
  clientUri: 'https://wiki.example.com/',
  own: true,
  device: false,
  secondFactor: true,
  pkce: 'nonce',
  idTokenAlg: 'RS256',
  machine: undefined,
  trusts: [],
  claims: [],
  jwks: [],
  jwksUri: undefined,
  pushedRequests: false,
  boundTokens: false,
  picture: undefined,
  groups: ['staff'],
  isPublic: false,
};
const ann = { id: '7', username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer', groups: [] };

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`clients, resources and consents in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const clock = { now: start };
      const now = () => clock.now;
      return {
        ...opened,
        clock,
        held: { user: ann, db: opened.database } as unknown as Held,
        clients: createClients(opened, now),
        resources: createResources(opened.database, now),
        consents: createConsents(opened.database, now),
      };
    }

    test('their names are read once a second for all pages, and show a change without being read', async () => {
      await using opened = await open();
      const { clients, clock, database } = opened;
      const { client } = await clients.add(wiki);
      const known = { id: client.id, name: 'Wiki', groups: ['staff'], clientUri: wiki.clientUri, picture: undefined };
      const names = clients.listNames();
      assert.equal(clients.listNames(), names);
      assert.deepEqual(await names, [known]);
      const other = { id: 'x'.repeat(22), name: 'A', secrets: null, settings: '{"groups":[]}', created_at: 0 };
      await database.insertInto('janua_clients').values(other).execute();
      await clients.change(client.id, { name: 'Notes' });
      await clients.change(client.id, { name: 'Notes' });
      assert.deepEqual(await clients.listNames(), [{ ...known, name: 'Notes' }]);
      await database.deleteFrom('janua_clients').where('id', '=', other.id).execute();
      await database.updateTable('janua_clients').set({ name: 'By another process' }).execute();
      clock.now += 999;
      assert.equal((await clients.listNames())[0]?.name, 'Notes');
      clock.now += 1;
      assert.equal((await clients.listNames())[0]?.name, 'By another process');
      await clients.remove(client.id);
      assert.deepEqual(await clients.listNames(), []);
    });

    test('a client is found as it was added, and only the hash of its secret is stored', async () => {
      await using opened = await open();
      const { clients, database } = opened;
      assert.equal(await clients.exist(), false);
      const { client, secret = '' } = await clients.add(wiki);
      const { isPublic: _, ...settings } = wiki;
      const secrets = [{ name: firstSecret, hash: hashSecret(secret), createdAt: start }];
      const whole = { id: client.id, ...settings, secrets, createdAt: new Date(start), appliedBy: undefined };
      assert.deepEqual(client, whole);
      assert.deepEqual(await clients.find(client.id), whole);
      assert.deepEqual(await clients.list(), [whole]);
      assert.equal(await clients.exist(), true);
      const rows = JSON.stringify(await database.selectFrom('janua_clients').selectAll().execute());
      assert.equal(rows.includes(secret), false);
    });

    test('no other spelling of an id finds a client, nor a text that cannot be stored', async () => {
      await using opened = await open();
      const { clients } = opened;
      const { client } = await clients.add(wiki);
      for (const id of ['', '\0', `${client.id} `, ` ${client.id}`, `${client.id}\0`, '\ud800', 'é'.repeat(22)])
        assert.equal(await clients.find(id), undefined, id);
    });

    test('a client is changed and removed', async () => {
      await using opened = await open();
      const { clients } = opened;
      const { client } = await clients.add(wiki);
      const changed = await clients.change(client.id, { name: 'Notes', backchannelLogoutUri: undefined, groups: [] });
      assert.deepEqual(changed, { ...client, name: 'Notes', backchannelLogoutUri: undefined, groups: [] });
      assert.deepEqual(await clients.find(client.id), changed);
      assert.equal(await clients.remove(client.id), true);
      assert.equal(await clients.remove(client.id), false);
      assert.equal(await clients.change(client.id, { name: 'x' }), undefined);
      assert.equal(await clients.changeSecrets(client.id, () => []), undefined);
    });

    test('a client that a former version added demands a challenge, until it is changed', async () => {
      await using opened = await open();
      const { clients, database } = opened;
      const { client } = await clients.add(wiki);
      const { settings } = await database.selectFrom('janua_clients').select('settings').executeTakeFirstOrThrow();
      const former = JSON.stringify({ ...JSON.parse(settings), pkce: undefined });
      await database.updateTable('janua_clients').set({ settings: former }).execute();
      assert.equal((await clients.find(client.id))?.pkce, 'required');
      await clients.change(client.id, { name: 'Notes' });
      assert.equal((await clients.find(client.id))?.pkce, 'required');
      await clients.change(client.id, { pkce: 'nonce' });
      assert.equal((await clients.find(client.id))?.pkce, 'nonce');
    });

    test('a client has RS256 unless it is stored with ES256, and stays so when it is changed', async () => {
      await using opened = await open();
      const { clients, database } = opened;
      const { client } = await clients.add({ ...wiki, idTokenAlg: 'ES256' });
      const algorithm = async () => (await clients.find(client.id))?.idTokenAlg;
      await clients.change(client.id, { name: 'Notes' });
      assert.equal(await algorithm(), 'ES256');
      const { settings } = await database.selectFrom('janua_clients').select('settings').executeTakeFirstOrThrow();
      for (const idTokenAlg of [undefined, 'none', 'HS256', 'PS256']) {
        const stored = JSON.stringify({ ...JSON.parse(settings), idTokenAlg });
        await database.updateTable('janua_clients').set({ settings: stored }).execute();
        assert.equal(await algorithm(), 'RS256', String(idTokenAlg));
        await clients.change(client.id, { name: 'Wiki' });
        assert.equal(await algorithm(), 'RS256', String(idTokenAlg));
      }
    });

    test('two changes at once of one client are both kept', async () => {
      await using opened = await open();
      const { clients } = opened;
      for (let round = 0; round < 20; round += 1) {
        const { client } = await clients.add({ ...wiki, groups: [] });
        await Promise.all([
          clients.change(client.id, { groups: ['finance'] }),
          clients.change(client.id, { own: false }),
        ]);
        const { groups, own } = (await clients.find(client.id)) ?? {};
        assert.deepEqual([groups, own], [['finance'], false]);
      }
    });

    test('a public client has no secret, and gets none', async () => {
      await using opened = await open();
      const { clients } = opened;
      const { client, secret } = await clients.add({ ...wiki, isPublic: true });
      assert.deepEqual([secret, client.secrets], [undefined, undefined]);
      assert.equal(await clients.changeSecrets(client.id, () => []), undefined);
      assert.equal((await clients.find(client.id))?.secrets, undefined);
    });

    test('a client without secrets is still confidential', async () => {
      await using opened = await open();
      const { clients } = opened;
      const { client } = await clients.add(wiki);
      await clients.changeSecrets(client.id, () => []);
      assert.deepEqual((await clients.find(client.id))?.secrets, []);
    });

    test('two secrets that are added at once are both kept', async () => {
      await using opened = await open();
      const { clients } = opened;
      const { client } = await clients.add(wiki);
      const names = ['second', 'third', 'fourth', 'fifth'];
      await Promise.all(
        names.map((name) =>
          clients.changeSecrets(client.id, (present) =>
            withSecret(present, createClientSecret({ name }, start).secret),
          ),
        ),
      );
      const kept = (await clients.find(client.id))?.secrets?.map(({ name }) => name);
      assert.deepEqual(kept?.toSorted(), [firstSecret, ...names].toSorted());
    });

    test('the use of a secret is noted once a minute, and brings no removed secret back', async () => {
      await using opened = await open();
      const { clients, clock } = opened;
      const { client } = await clients.add(wiki);
      const lastUse = async () => (await clients.find(client.id))?.secrets?.map(({ lastUsedAt }) => lastUsedAt);
      assert.deepEqual(await lastUse(), [undefined]);
      for (const [passed, expected] of [
        [0, start],
        [59_999, start],
        [1, start + 60_000],
      ] as const) {
        clock.now += passed;
        await clients.noteUse((await clients.find(client.id)) ?? assert.fail(), firstSecret);
        assert.deepEqual(await lastUse(), [expected]);
      }
      const before = (await clients.find(client.id)) ?? assert.fail();
      clock.now += 60_000;
      await clients.changeSecrets(client.id, () => []);
      await clients.noteUse(before, firstSecret);
      assert.deepEqual(await lastUse(), []);
    });

    test('a resource is added once, found by its exact address, and removed', async () => {
      await using opened = await open();
      const { resources } = opened;
      const mcp = {
        uri: 'https://mcp.example.com/a',
        scopes: ['files:read', 'files:write'],
        tokenFormat: 'jwt',
        alg: 'RS256',
      } as const;
      assert.deepEqual(await resources.list(), []);
      assert.equal(await resources.add(mcp), true);
      assert.equal(await resources.add({ ...mcp, scopes: [] }), false);
      const stored = { ...mcp, clientId: undefined, exchanges: {}, appliedBy: undefined };
      assert.deepEqual(await resources.find(mcp.uri), stored);
      for (const uri of ['https://mcp.example.com/A', `${mcp.uri}/`, `${mcp.uri} `, `${mcp.uri}\0`, ''])
        assert.equal(await resources.find(uri), undefined, uri);
      assert.deepEqual(await resources.list(), [stored]);
      assert.equal(await resources.remove(mcp.uri), true);
      assert.equal(await resources.remove(mcp.uri), false);
    });

    test('a resource that a former version added keeps ES256, and has no secret', async () => {
      await using opened = await open();
      const { resources, database } = opened;
      const row = { uri: 'https://mcp.example.com', scopes: 'a', token_format: 'jwt', created_at: 0 };
      await database.insertInto('janua_resources').values(row).execute();
      const { alg, clientId } = (await resources.find(row.uri)) ?? {};
      assert.deepEqual([alg, clientId], ['ES256', undefined]);
      for (const id of ['', '\0', 'A'.repeat(22)]) assert.equal(await resources.findCredentials(id), undefined);
    });

    test('of two new secrets of a resource at once one counts, under one id', async () => {
      await using opened = await open();
      const { resources } = opened;
      const uri = 'https://mcp.example.com';
      await resources.add({ uri, scopes: ['a'], tokenFormat: 'opaque', alg: 'RS256' });
      const given = await Promise.all([resources.setSecret(uri), resources.setSecret(uri)]);
      const [id = '', ...others] = new Set(given.map((one) => one?.clientId));
      assert.deepEqual(others, []);
      const stored = (await resources.findCredentials(id))?.secretHash;
      assert.equal(given.filter((one) => hashSecret(one?.secret ?? '') === stored).length, 1);
      assert.equal(await resources.setSecret('https://none.example.com'), undefined);
    });

    test('a resource without a path is found with and without a slash at the end', async () => {
      await using opened = await open();
      const { resources } = opened;
      const [plain, slash] = ['https://mcp.example.com', 'https://mcp.example.com/'];
      const described = { scopes: ['files:read'], tokenFormat: 'jwt', alg: 'RS256' } as const;
      await resources.add({ uri: plain, ...described });
      assert.equal((await resources.find(slash))?.uri, plain);
      await resources.add({ uri: slash, ...described });
      assert.equal((await resources.find(slash))?.uri, slash);
      assert.equal((await resources.find(plain))?.uri, plain);
    });

    test('a consent is of one user and one client, is replaced and revoked', async () => {
      await using opened = await open();
      const { consents, clock, held } = opened;
      const first = { scope: ['openid', 'email'], version: 'one' };
      await consents.give(held, 'wiki', first);
      assert.deepEqual(await consents.find(ann, 'wiki'), first);
      clock.now += 1000;
      const second = { scope: ['openid'], version: 'two' };
      await consents.give(held, 'wiki', second);
      assert.deepEqual(await consents.find(ann, 'wiki'), second);
      const listed = { clientId: 'wiki', scope: ['openid'], givenAt: new Date(clock.now) };
      assert.deepEqual(await consents.list(ann), [listed]);
      const eve = { ...ann, id: 'eve' };
      assert.equal(await consents.find(eve, 'wiki'), undefined);
      assert.deepEqual(await consents.list(eve), []);
      assert.equal(await consents.revoke(eve, 'wiki'), false);
      assert.equal(await consents.find(ann, 'other'), undefined);
      assert.equal(await consents.revoke(ann, 'wiki'), true);
      assert.equal(await consents.revoke(ann, 'wiki'), false);
    });

    test('the consents to a client that is removed are forgotten', async () => {
      await using opened = await open();
      const { consents, held } = opened;
      for (const id of ['wiki', 'https://claude.ai/client']) await consents.give(held, id, { scope: [], version: '' });
      await consents.forgetClient('wiki');
      assert.deepEqual(
        (await consents.list(ann)).map(({ clientId }) => clientId),
        ['https://claude.ai/client'],
      );
    });
  });
}

test('what a client gets lasts without the session if all of its addresses say that it runs on machines of users', () => {
  for (const [redirectUris, isLasting] of [
    [['http://127.0.0.1/cb', 'http://localhost:8080/cb'], true],
    [['com.example.app:/cb', 'http://[::1]/cb'], true],
    [['com.example.app:/cb', 'https://app.example.com/cb'], true],
    [['http://localhost/cb', 'https://example.com/cb'], false],
    [['https://localhost/cb', 'https://example.com/cb'], false],
    [['https://example.com/cb'], false],
    [[], false],
  ] as const) {
    const client = { clientId: 'x', redirectUris };
    const lastsWith = (tokenEndpointAuthMethod: string) =>
      outlivesSession({ ...client, tokenEndpointAuthMethod }, new Set());
    assert.equal(lastsWith('none'), isLasting, redirectUris.join(' '));
    assert.equal(lastsWith('client_secret_basic'), false, redirectUris.join(' '));
    // The user let no application of the operator in.
    const ofOperator = { ...client, own: true, tokenEndpointAuthMethod: 'none' };
    assert.equal(outlivesSession(ofOperator, new Set()), false, redirectUris.join(' '));
  }
});
