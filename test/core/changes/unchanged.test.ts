import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSettings } from '../../../src/capabilities/oidc/clients/clients.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { signInAs } from '../../capabilities/admin/administrator.ts';
import { ann, startJanua, type TestJanua } from '../../janua.ts';

interface Place {
  readonly janua: TestJanua;
  readonly clientId: string;
  readonly administrator: { readonly cookie: string };
  /** Asks as Ann. */
  readonly own: (url: string, fields: Record<string, string>) => Promise<{ readonly statusCode: number }>;
}

type Change = (place: Place) => Promise<unknown>;

const uri = 'https://api.example.com';

const byAdministrator =
  (action: string, fields: Record<string, string> = {}): Change =>
  async ({ janua, administrator }) => {
    const { user } = await janua.account();
    return (await janua.post(`/api/admin/users/${user.id}/${action}`, fields, administrator)).statusCode;
  };

/** Changes whose second time finds everything as it is. An error counts as the answer. */
const changes: Readonly<Record<string, Change>> = {
  'a verification': ({ janua }) => janua.services.administration.verify(ann.username),
  'a verification on the page': byAdministrator('verify'),
  'a name': ({ janua }) => janua.services.administration.rename(ann.username, { firstName: 'Eve', lastName: 'Evans' }),
  'the own name': ({ own }) => own('/api/account/profile', { first_name: 'Ivy', last_name: 'Evans' }),
  'a language': ({ own }) => own('/api/language', { language: 'de' }),
  'groups that are added': ({ janua }) => janua.services.administration.changeGroups(ann.username, { add: ['staff'] }),
  'groups on the page': byAdministrator('groups', { groups: 'staff' }),
  'groups that are removed': ({ janua }) =>
    janua.services.administration.changeGroups(ann.username, { remove: ['staff'] }),
  'the scopes of a group': ({ janua }) => janua.services.administration.setScopes('staff', ['users:read']),
  'the demand of a factor': ({ janua }) => janua.services.administration.setSecondFactor('staff', true),
  'the end of that demand': ({ janua }) => janua.services.administration.setSecondFactor('staff', false),
  'the settings of a client': ({ janua, clientId }) =>
    janua.services.clientAdministration.changeClient(clientId, { name: 'Files' }),
  'a resource': ({ janua }) =>
    janua.services.clientAdministration.addResource({ uri, scopes: ['read'], tokenFormat: 'opaque' }),
  'the end of a resource': ({ janua }) => janua.services.clientAdministration.removeResource(uri),
  'the end of a client': ({ janua, clientId }) => janua.services.clientAdministration.removeClient(clientId),
  'a new group': ({ janua }) => janua.services.administration.addGroup({ name: 'press', description: '', scopes: [] }),
  'the end of a group': ({ janua }) => janua.services.administration.removeGroup('press'),
  'the removal of factors that were never there': ({ janua }) =>
    janua.services.administration.removeFactors(ann.username),
  'the lift of failures that were never there': ({ janua }) => janua.services.administration.lift(ann.username),
  'the end of trust that was never there': ({ own }) => own('/api/account/security/trusted-browsers/end', {}),
  'the end of an unknown token': ({ own }) => own('/api/account/tokens/end', { id: 'x'.repeat(22) }),
  'the end of an unknown session': ({ janua }) => janua.services.administration.endSession('x'.repeat(22)),
  'a disabled user': ({ janua }) => janua.services.administration.disable(ann.username),
  'an enabled user': ({ janua }) => janua.services.administration.enable(ann.username),
  'a removed user': ({ janua }) => janua.services.administration.remove(ann.username),
};

/** Always change something: a new secret, or a new stamp that ends what no list shows. */
const alwaysNew = [
  'password-set',
  'recovery-codes-renewed',
  'sessions-ended',
  'client-secret-rotated',
  'resource-secret-rotated',
  'key-replaced',
];

test('a change that is made twice is one: the second has no event, mail or stamp', async () => {
  await using janua = await startJanua({ overrides: { demoMailbox: true } });
  const { services } = janua;
  await services.groups.add({ name: 'staff', description: '', scopes: [] });
  const { client } = await services.clientAdministration.addClient({
    ...defaultSettings,
    ...{ name: 'Wiki', redirectUris: ['https://app.example.com/callback'], isPublic: false },
  });
  const administrator = await signInAs(janua, [admins]);
  const { bearer } = await janua.logIn();
  const own: Place['own'] = (url, fields) => janua.post(url, fields, bearer);
  const place: Place = { janua, clientId: client.id, administrator, own };

  async function traces() {
    const events = await janua.events();
    const mails = await services.database.selectFrom('janua_mails').select('id').execute();
    const account = await services.users.findByUsername(ann.username);
    return {
      events: events.filter(({ kind }) => services.events[kind]?.isChange || kind === 'throttle-lifted').length,
      mails: mails.length,
      stamp: account && stampOf(account),
      verified: account && (await services.users.findDetails(account.user)).verification,
    };
  }

  assert.ok(alwaysNew.every((kind) => services.events[kind]?.isChange));
  for (const [name, change] of Object.entries(changes)) {
    const isNothing = name.includes('never there') || name.includes('unknown');
    const start = await traces();
    if (!isNothing) await change(place);
    const before = await traces();
    // The two on pages come after the same by a command.
    if (!isNothing && !name.includes('page')) assert.equal(before.events, start.events + 1, `${name} changes nothing`);
    await Promise.resolve(change(place)).catch(() => {});
    assert.deepEqual(await traces(), before, name);
  }
});
