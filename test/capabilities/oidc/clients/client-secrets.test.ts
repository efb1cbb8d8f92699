import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  type ClientSecret,
  createClientSecret,
  mostSecrets,
  withoutSecret,
  withSecret,
} from '../../../../src/capabilities/oidc/clients/client-secrets.ts';
import { type Application, openProvider, type ProviderUnderTest } from '../application.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 11, 2);
const secretOf = (name: string, days?: number) => createClientSecret({ name, days }, start).secret;

test('a client has at most five secrets, each with a name of its own, and expired ones make room', () => {
  const names = Array.from({ length: mostSecrets }, (_, index) => `secret ${index}`);
  const add = (present: readonly ClientSecret[], name: string) => withSecret(present, secretOf(name));
  const five = names.reduce(add, []);
  assert.deepEqual(
    five.map(({ name }) => name),
    names,
  );
  assert.throws(() => add(five, 'sixth'), /has 5 secrets already/);
  assert.throws(() => add(five.slice(1), names[1] ?? ''), /with the name secret 1 already/);
  const expired = { ...secretOf('old'), expiresAt: start };
  assert.deepEqual(
    add([...five.slice(1), expired], 'old').map(({ name }) => name),
    [...names.slice(1), 'old'],
  );
  assert.throws(() => withoutSecret(five, 'sixth'), /no secret with that name/);
});

let server: ProviderUnderTest;
let application: Application;
before(async () => {
  server = await openProvider();
  application = await server.addApplication();
});
after(() => server[Symbol.asyncDispose]());

/** Sends a secret to the token endpoint. A client that has proved itself hears that its code is wrong, any other that it is not known. */
async function send(secret: string | undefined): Promise<string> {
  const { clientId, redirectUri } = application;
  const basic = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
  const answer = await fetch(`${server.origin}/oidc/token`, {
    method: 'POST',
    headers: secret === undefined ? {} : { authorization: basic },
    body: new URLSearchParams({
      ...{ grant_type: 'authorization_code', code: 'x', redirect_uri: redirectUri },
      ...(secret === undefined && { client_id: clientId }),
    }),
  });
  return ((await answer.json()) as { readonly error: string }).error;
}

test('secrets work beside each other until they are removed or expire, while others send theirs', async () => {
  const { clientAdministration } = server.janua.services;
  const { clientId, secret: first = '' } = application;
  const second = await clientAdministration.addSecret(clientId, { name: 'second' });
  const short = await clientAdministration.addSecret(clientId, { name: 'short', days: 1 });
  for (const secret of [first, second, short]) assert.equal(await send(secret), 'invalid_grant');

  const beside = Array.from({ length: 50 }, () => send(second));
  await clientAdministration.removeSecret(clientId, 'first');
  assert.equal(await send(first), 'invalid_client');
  assert.deepEqual(new Set(await Promise.all(beside)), new Set(['invalid_grant']));

  server.janua.pass(day);
  assert.equal(await send(short), 'invalid_client');
  assert.equal(await send(second), 'invalid_grant');
  const refused = await server.janua.events({ kind: 'application-refused' });
  assert.equal(refused.filter(({ reason }) => reason === 'expired-secret').length, 1);

  const { secrets } = await clientAdministration.requireClient(clientId);
  assert.deepEqual(
    secrets?.map(({ name, lastUsedAt }) => [name, lastUsedAt === undefined]),
    [
      ['second', false],
      ['short', false],
    ],
  );
  const only = await clientAdministration.rotateSecret(clientId);
  assert.equal(await send(second), 'invalid_client');
  assert.equal(await send(only), 'invalid_grant');
  await clientAdministration.removeSecret(clientId, 'first');
  for (const secret of [undefined, 'x', only]) assert.equal(await send(secret), 'invalid_client');
});
