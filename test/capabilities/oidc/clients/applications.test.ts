import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApplications } from '../../../../src/capabilities/oidc/clients/applications.ts';
import { createClients, defaultSettings } from '../../../../src/capabilities/oidc/clients/clients.ts';
import type { WaitingRequest } from '../../../../src/capabilities/oidc/provider/pending-requests.ts';
import type { Deciding } from '../../../../src/capabilities/oidc/sign-in/access-barriers.ts';
import { createConsents } from '../../../../src/capabilities/oidc/sign-in/consents.ts';
import { createGiveConsent } from '../../../../src/capabilities/oidc/sign-in/give-consent.ts';
import { notAuthenticated } from '../../../../src/core/access/access.ts';
import { refusalOf } from '../../../../src/core/access/change-refusals.ts';
import { type Held, provedBy } from '../../../../src/core/users/held.ts';
import { openMigrated } from '../../../ground/database/open.ts';
import { ann, password, startJanua } from '../../../janua.ts';
import { signInWith } from '../../admin/administrator.ts';

const settings = {
  ...defaultSettings,
  ...{ name: 'Wiki', redirectUris: ['https://wiki.example.com/cb'], isPublic: false },
};

test('a user sees the applications that were let in, and takes that back', async () => {
  await using janua = await startJanua();
  const { services } = janua;
  const headers = await signInWith(janua, 'users:read');
  const account = await janua.account('group-1@example.com');
  const { client } = await services.clients.add(settings);
  const given = { scope: ['openid', 'email', 'files:read'], version: '' };
  await services.hold(provedBy(account), (held) => services.consents.give(held, client.id, given));
  const get = (url: string) => janua.get(url, headers);
  const listed = (await get('/api/account/applications')).json().applications;
  assert.deepEqual(
    listed.map(({ since: _, ...one }: { readonly since: string }) => one),
    [{ client_id: client.id, name: 'Wiki', picture: null, scope: 'openid email files:read' }],
  );
  const { body } = await get('/account/applications');
  assert.match(body, /Who you are, Your email address, files:read/);
  assert.match((await get('/account')).body, /href="\/account\/applications"/);
  assert.match((await get(`/admin/users/${account.user.id}`)).body, /Connected applications[\s\S]*Wiki/);

  const revoke = (client_id: string) => janua.post('/api/account/applications/revoke', { client_id }, headers);
  assert.equal((await revoke('unknown')).statusCode, 404);
  assert.equal((await revoke(client.id)).statusCode, 200);
  assert.equal((await revoke(client.id)).statusCode, 404);
  assert.deepEqual((await get('/api/account/applications')).json(), { applications: [], next_cursor: null });
  // Of an application that introduced itself.
  const document = `https://wiki.example.com/${'a'.repeat(175)}`;
  await services.hold(provedBy(account), (held) => services.consents.give(held, document, given));
  assert.equal((await revoke(document)).statusCode, 200);
  const events = await janua.events({ kind: 'application-revoked' });
  assert.deepEqual(
    events.map((event) => [event.userId, event.about, event.aboutName]),
    [
      [account.user.id, client.id, 'Wiki'],
      [account.user.id, document, undefined],
    ],
  );
});

test("another user's applications are not there to see or to revoke", async () => {
  await using janua = await startJanua();
  const { app, services } = janua;
  const headers = await signInWith(janua, 'users:read');
  const owner = await services.users.findByUsername(ann.username);
  assert.ok(owner);
  const given = { scope: ['openid'], version: '' };
  await services.hold(provedBy(owner), (held) => services.consents.give(held, 'wiki', given));
  assert.deepEqual((await janua.get('/api/account/applications', headers)).json(), {
    applications: [],
    next_cursor: null,
  });
  const payload = { client_id: 'wiki' };
  const answer = await app.inject({ method: 'POST', url: '/api/account/applications/revoke', headers, payload });
  assert.equal(answer.statusCode, 404);
  assert.ok(await services.consents.find(owner.user, 'wiki'));
});

test('a consent that is given while a new password ends all others does not outlive it', async () => {
  await using janua = await startJanua();
  const { consents, hold, users, administration, audit, logIn } = janua.services;
  const { client } = await janua.services.clients.add(settings);
  const login = { username: ann.username, password, presented: {}, language: 'en', headers: {} } as const;
  const { account, session } = await logIn(login, { route: 'test' });
  let isChanged = false;
  async function findAccount(id: string) {
    const found = await users.findById(id);
    if (!isChanged) await administration.setPassword(ann.username, 'another long password of hers');
    isChanged = true;
    return found;
  }
  const giveConsent = createGiveConsent({ consents, findAccount, hold, audit });
  const waiting = {
    client: { clientId: client.id },
    asked: { requestParamOIDCScopes: new Set(['openid']), requestParamClaims: new Set() },
  };
  const deciding = { signedIn: { user: account.user, session }, caller: {} };
  await assert.rejects(
    giveConsent(waiting as unknown as WaitingRequest, deciding as unknown as Deciding),
    (error) => refusalOf(error)?.answer === notAuthenticated,
  );
  assert.equal(await consents.find(account.user, client.id), undefined);
});

test('the list joins consents with what applications hold, and a revocation ends only those of its user', async () => {
  await using opened = await openMigrated();
  const { database } = opened;
  const user = { id: '1', username: ann.username, firstName: 'Ann', lastName: 'Archer', groups: [] };
  const clients = createClients(opened, () => 5000);
  const consents = createConsents(database, () => 5000);
  const { client } = await clients.add(settings);
  const document = 'https://claude.ai/oauth/client';
  const other = { ...user, id: '2', username: 'bob@example.com' };
  for (const one of [user, other]) {
    const held = { user: one, db: database } as unknown as Held;
    await consents.give(held, document, { scope: ['openid'], version: '' });
  }
  const revoked: string[][] = [];
  const applications = createApplications({
    ...{ database, clients, consents },
    clientsOf: async () => [
      { clientId: client.id, since: new Date(9000) },
      { clientId: document, since: new Date(1000) },
      { clientId: 'gone', since: new Date(1000) },
    ],
    revokeGrants: async (...[userId, clientId]) => void revoked.push([userId, clientId]),
  });
  assert.deepEqual(
    (await applications.list(user)).map(({ name, scopes, since }) => [name, scopes, since.getTime()]),
    [
      ['Wiki', [], 9000],
      ['claude.ai', ['openid'], 5000],
      ['gone', [], 1000],
    ],
  );
  assert.equal((await applications.revoke(user, document, async () => {}))?.name, 'claude.ai');
  assert.equal(await applications.revoke(user, 'other', async () => {}), undefined);
  assert.equal(await consents.find(user, document), undefined);
  assert.ok(await consents.find(other, document));
  assert.deepEqual(revoked, [[user.id, document]]);
});
