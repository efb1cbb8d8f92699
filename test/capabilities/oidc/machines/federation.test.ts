import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { JWTPayload } from 'jose';
import { leastBetweenFetches } from '../../../../src/capabilities/oidc/keys/published-keys.ts';
import { createProveWorkload } from '../../../../src/capabilities/oidc/machines/prove-workload.ts';
import { parseTrust } from '../../../../src/capabilities/oidc/machines/trust.ts';
import { stampOf } from '../../../../src/core/users/account.ts';
import { admins } from '../../../../src/core/users/scopes.ts';
import { missing } from '../../../servers/missing.ts';
import type { StoreChoice } from '../../../stores.ts';
import { addTo } from '../../admin/administrator.ts';
import { openProvider, type ProviderUnderTest, post, wiki } from '../application.ts';
import { createIssuerKey, type Issuer, signWith, startIssuer } from './issuer.ts';

const choices = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] satisfies StoreChoice[];

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const kubernetes = createIssuerKey('cluster', 'RS256');
const cluster = 'https://kubernetes.default.svc.cluster.local';
const machine = { scopes: ['users:read'], within: ['staff'], may: {} };

for (const stores of choices)
  describe(`workloads of other issuers, on ${stores.users}`, { skip: missing(stores.users, stores.sessions) }, () => {
    let server: ProviderUnderTest;
    let issuer: Issuer;
    before(async () => {
      server = await openProvider({ stores, settings: { OIDC_PRIVATE_HOSTS: ['127.0.0.1', 'localhost'] } });
      await server.janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
    });
    after(() => server[Symbol.asyncDispose]());

    /** Starts a new issuer, because what is known of one lasts. */
    async function open() {
      issuer = await startIssuer(server.origin, server.janua.now);
      return issuer;
    }

    const administration = () => server.janua.services.clientAdministration;

    const trustsOf = (...texts: string[]) => texts.map((text) => parseTrust(`issuer=${issuer.address},${text}`));

    async function addProgram(...texts: string[]): Promise<string> {
      const trusts = trustsOf(...texts);
      const added = await administration().addClient({ ...wiki, own: false, redirectUris: [], machine, trusts });
      assert.equal(added.secret, undefined, 'there is no secret to lose');
      return added.client.id;
    }

    async function ask(client_id: string, client_assertion: string, more: Record<string, string> = {}) {
      const proof = { client_id, client_assertion, client_assertion_type: assertionType };
      const answer = await post(server, '/oidc/token', { grant_type: 'client_credentials', ...proof, ...more });
      return (await answer.json()) as Record<string, string>;
    }

    const counts = async (id: string, token: string) => {
      const { access_token, error } = await ask(id, token);
      assert.ok(access_token !== undefined || error === 'invalid_client', String(error));
      return access_token !== undefined;
    };

    async function reasonOf(id: string) {
      const [event] = await Array.fromAsync(
        server.janua.services.auditTrail.find({ order: 'newest-first', kind: 'application-refused' }),
      );
      assert.ok(event && 'detail' in event);
      assert.equal(event.about, id);
      return event;
    }

    const get = async (token = '') =>
      (await server.janua.get('/api/admin/users', { authorization: `Bearer ${token}` })).statusCode;

    test('a job gets a token by the token of its issuer, with no secret anywhere', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42,ref=refs/heads/main');
      const { access_token, scope } = await ask(id, await issuer.sign());
      assert.equal(scope, 'users:read');
      assert.equal(await get(access_token), 200);
      assert.equal(await counts(id, await issuer.sign({ repository_id: 42, aud: [server.origin] })), true);
      assert.deepEqual(issuer.asked, ['/.well-known/openid-configuration', '/jwks'], 'the keys are remembered');
    });

    test('a token counts only if all is as the trust wants it, and the event names the claim with both values', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42,ref=refs/heads/main,run_attempt=1');
      const other = 'https://other.example.com';
      const time = Math.floor(server.janua.now() / 1000);
      const iso = (seconds: number) => new Date(seconds * 1000).toISOString().replace('.000', '');
      const reasons: Record<string, string> = { aud: 'audience', exp: 'time', nbf: 'time', iat: 'time' };
      for (const [claims, ...texts] of [
        [{ repository_id: '43' }, 'repository_id', '43', '42'],
        [{ repository_id: '042' }, 'repository_id', '042', '42'],
        [{ repository_id: ['42'] }, 'repository_id', '["42"]', '42'],
        [{ repository_id: undefined }, 'repository_id', 'nothing', '42'],
        [{ ref: 'refs/heads/evil' }, 'ref', 'refs/heads/evil', 'refs/heads/main'],
        [{ ref: 'refs/heads/Main' }, 'ref', 'refs/heads/Main', 'refs/heads/main'],
        [{ run_attempt: 2 }, 'run_attempt', '2', '1'],
        [{ aud: other }, 'aud', other, server.origin],
        [{ aud: [server.origin, other] }, 'aud', other, server.origin],
        [{ aud: [] }, 'aud', '[]', server.origin],
        [{ aud: `${server.origin}/` }, 'aud', `${server.origin}/`, server.origin],
        [{ iss: other }, 'iss', other, issuer.address],
        [{ iss: `${issuer.address}/` }, 'iss', `${issuer.address}/`, issuer.address],
        [{ exp: time - 90 }, 'exp', iso(time - 90)],
        [{ exp: undefined }, 'exp', 'nothing'],
        [{ nbf: time + 90 }, 'nbf', iso(time + 90)],
        [{ nbf: 9e15 }, 'nbf', '9000000000000000'],
        [{ iat: time - 3690 }, 'iat', iso(time - 3690)],
        [{ iat: time + 90 }, 'iat', iso(time + 90)],
        [{ iat: undefined }, 'iat', 'nothing'],
      ] as [JWTPayload, ...string[]][]) {
        const token = await issuer.sign(claims);
        assert.equal(await counts(id, token), false, JSON.stringify(claims));
        const { reason, detail = '', sent } = await reasonOf(id);
        const [claim = ''] = texts;
        assert.equal(reason, reasons[claim] === undefined ? 'workload' : `workload-${reasons[claim]}`);
        for (const text of texts) assert.ok(detail.includes(text), `${detail}: ${text}`);
        if (reasons[claim] === 'time')
          assert.match(detail, /a time (?:after|before|in the hour before) [\dT:-]{19}Z was expected$/);
        assert.ok(!JSON.stringify([detail, sent]).includes(token.slice(-20)), 'no token is recorded');
      }
      for (const claims of [{ exp: time - 30 }, { nbf: time + 30 }, { iat: time - 3600 }])
        assert.equal(await counts(id, await issuer.sign(claims)), true, JSON.stringify(claims));
    });

    test('a token counts by any of the trusts', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42,ref=refs/heads/main', 'repository_id=42,ref=refs/heads/next');
      for (const [ref, expected] of [
        ['main', true],
        ['next', true],
        ['other', false],
      ] as const)
        assert.equal(await counts(id, await issuer.sign({ ref: `refs/heads/${ref}` })), expected, ref);
    });

    test('a token that its issuer did not sign counts nothing, whatever its header says', async () => {
      await using _ = await open();
      issuer.keys = [createIssuerKey('one', 'RS256'), createIssuerKey('two'), createIssuerKey('three', 'EdDSA')];
      const id = await addProgram('repository_id=42');
      const good = await issuer.sign();
      for (const key of issuer.keys) assert.equal(await counts(id, await issuer.sign({}, key)), true, key.alg);
      const [, body = '', signature = ''] = good.split('.');
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const hmac = `${encode({ alg: 'HS256', kid: 'one' })}.${body}`;
      const key = JSON.stringify(issuer.keys[0]?.jwk);
      const forged = encode({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), repository_id: 42 });
      for (const [about, token] of Object.entries({
        'alg none': `${encode({ alg: 'none', kid: 'one' })}.${body}.`,
        'alg none with a signature': `${encode({ alg: 'none', kid: 'one' })}.${body}.${signature}`,
        HS256: `${hmac}.${createHmac('sha256', key).update(hmac).digest('base64url')}`,
        'another body': good.replace(body, forged),
        'another key with this id': await issuer.sign({}, createIssuerKey('one', 'RS256')),
        'another kind of key with this id': await issuer.sign({}, createIssuerKey('one')),
        'a foreign issuer': await issuer.sign({}, createIssuerKey('unknown')),
        'a part more': `${good}.x`,
        'no signature': good.slice(0, -signature.length),
        'an empty one': '',
        'a long one': await issuer.sign({ more: 'x'.repeat(9000) }),
      }))
        assert.equal(await counts(id, token), false, about);
    });

    test('a token proves the client alone that is named, and not as a secret, nor in other requests', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42');
      const token = await issuer.sign();
      const plain = (await administration().addClient({ ...wiki, own: false, redirectUris: [], machine })).client.id;
      const proof = { client_assertion: token, client_assertion_type: assertionType };
      const grant = { grant_type: 'client_credentials' };
      for (const [about, path, fields] of [
        ['nothing', '/oidc/token', { client_id: id, ...grant }],
        ['an empty secret', '/oidc/token', { client_id: id, client_secret: '', ...grant }],
        ['another client', '/oidc/token', { client_id: plain, ...proof, ...grant }],
        ['no client', '/oidc/token', { ...proof, ...grant }],
        ['as a secret', '/oidc/token', { client_id: id, client_secret: token, ...grant }],
        ['beside a secret', '/oidc/token', { client_id: id, client_secret: 'x', ...proof, ...grant }],
        ['another type', '/oidc/token', { client_id: id, ...proof, client_assertion_type: 'x', ...grant }],
        ['another grant', '/oidc/token', { client_id: id, ...proof, grant_type: 'refresh_token', refresh_token: 'x' }],
        ['introspection', '/oidc/introspection', { client_id: id, ...proof, token: 'x' }],
        ['revocation', '/oidc/revocation', { client_id: id, ...proof, token: 'x' }],
      ] as const) {
        const answer = await post(server, path, fields);
        const { error } = (await answer.json()) as Record<string, string>;
        assert.ok(['invalid_client', 'invalid_request'].includes(error ?? ''), `${about}: ${answer.status} ${error}`);
      }
      assert.equal(await counts(id, token), true);
    });

    test('where a token counts once, 50 at once count once, and never again', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42,once');
      const token = await issuer.sign();
      const results = await Promise.all(Array.from({ length: 50 }, () => counts(id, token)));
      assert.equal(results.filter(Boolean).length, 1);
      assert.equal(await counts(id, token), false);
      const { reason, detail = '' } = await reasonOf(id);
      assert.equal(reason, 'workload-once');
      assert.match(detail, /^client authentication failed: jti/);
      assert.equal(await counts(id, await issuer.sign()), true);
      assert.equal(await counts(id, await issuer.sign({ jti: '' })), false);
      assert.equal((await reasonOf(id)).reason, 'workload-once');
      const again = await addProgram('repository_id=42');
      const repeated = await issuer.sign();
      for (const _ of [1, 2]) assert.equal(await counts(again, repeated), true, 'without once');
    });

    test('keys that the operator uploaded are the only ones, and nothing is fetched', async () => {
      await using _ = await open();
      const keys = JSON.stringify({ keys: [kubernetes.jwk] });
      const trusts = [parseTrust(`kubernetes:prod/deployer,issuer=${cluster},uid=u-1,jwks=${keys}`)];
      const { client } = await administration().addClient({ ...wiki, own: false, redirectUris: [], machine, trusts });
      const sign = (uid: string, key = kubernetes) => {
        const time = Math.floor(server.janua.now() / 1000);
        return signWith(key, {
          ...{ iss: cluster, aud: [server.origin], iat: time, nbf: time, exp: time + 3600 },
          sub: 'system:serviceaccount:prod:deployer',
          'kubernetes.io': { namespace: 'prod', serviceaccount: { name: 'deployer', uid } },
        });
      };
      const token = await sign('u-1');
      for (const _ of [1, 2]) assert.equal(await counts(client.id, token), true, 'Kubernetes sends a token again');
      assert.equal(await counts(client.id, await sign('u-2')), false, 'a new account with the old name');
      assert.match((await reasonOf(client.id)).detail ?? '', /serviceaccount\/uid: the token has u-2, and u-1 was/);
      assert.equal(await counts(client.id, await sign('u-1', createIssuerKey('cluster', 'RS256'))), false);
      assert.deepEqual(issuer.asked, []);
    });

    test('a new key of the issuer counts at once, and unknown ones cause no more than one fetch in 30 seconds', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42');
      assert.equal(await counts(id, await issuer.sign()), true);
      server.janua.pass(leastBetweenFetches);
      const former = issuer.keys[0];
      issuer.keys = [createIssuerKey('next')];
      assert.equal(await counts(id, await issuer.sign()), true);
      assert.equal(await counts(id, await issuer.sign({}, former)), false, 'the former key is withdrawn');
      const fetches = issuer.asked.length;
      const strangers = Array.from({ length: 20 }, async (_, count) =>
        counts(id, await issuer.sign({}, createIssuerKey(`stranger-${count}`))),
      );
      assert.ok((await Promise.all(strangers)).every((isCounted) => !isCounted));
      for (const iss of ['https://other.example.com', server.origin])
        assert.equal(await counts(id, await issuer.sign({ iss })), false);
      assert.equal(issuer.asked.length, fetches);
      server.janua.pass(leastBetweenFetches);
      const later = Array.from({ length: 20 }, async () => counts(id, await issuer.sign({}, createIssuerKey('x'))));
      await Promise.all(later);
      assert.equal(issuer.asked.length, fetches + 2, 'a document and its keys, for all of them');
    });

    test('an issuer that answers nothing holds up no one else, and a good key counts meanwhile', async () => {
      await using slow = await open();
      const id = await addProgram('repository_id=42');
      const other = await addProgram('repository_id=42');
      assert.equal(await counts(id, await slow.sign()), true);
      server.janua.pass(leastBetweenFetches);
      const holding = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      slow.wait = () => {
        reached.resolve();
        return holding.promise;
      };
      const waiting = ask(id, await slow.sign({}, createIssuerKey('unknown')));
      await reached.promise;
      assert.equal(await counts(other, await slow.sign()), true);
      await using quick = await open();
      assert.equal(await counts(await addProgram('repository_id=42'), await quick.sign()), true);
      holding.resolve();
      assert.equal((await waiting).error, 'invalid_client');
    });

    for (const [about, spoil] of [
      ['names another issuer', (one: Issuer) => Object.assign(one, { named: 'https://other.example.com' })],
      ['has no usable key', (one: Issuer) => Object.assign(one, { keys: [] })],
      ['breaks the connection', (one: Issuer) => Object.assign(one, { wait: () => Promise.reject(new Error()) })],
    ] as const)
      test(`an issuer that ${about} proves nobody, and is asked again after 30 seconds`, async () => {
        await using spoilt = await open();
        // Refusals of one address are recorded in bounds.
        server.janua.pass(60_000);
        const { keys } = spoilt;
        const id = await addProgram('repository_id=42');
        spoil(spoilt);
        for (const _ of [1, 2])
          assert.equal((await ask(id, await spoilt.sign({}, keys[0]))).error, 'temporarily_unavailable');
        assert.equal((await reasonOf(id)).reason, 'issuer-keys');
        assert.ok(spoilt.asked.length <= 2);
        Object.assign(spoilt, { keys, named: spoilt.address, wait: async () => {} });
        server.janua.pass(leastBetweenFetches);
        assert.equal(await counts(id, await spoilt.sign()), true);
      });

    test('a trust that is removed counts no more, and ends the tokens of the program', async () => {
      await using _ = await open();
      const id = await addProgram('repository_id=42', 'repository_id=43');
      const { access_token } = await ask(id, await issuer.sign());
      await administration().changeClient(id, { name: 'CI' });
      assert.equal(await get(access_token), 200);
      await administration().changeClient(id, { trusts: trustsOf('repository_id=43') });
      assert.equal(await get(access_token), 401);
      assert.equal(await counts(id, await issuer.sign()), false);
      assert.equal(await counts(id, await issuer.sign({ repository_id: '43' })), true);
      const [event] = await server.janua.events({ kind: 'client-changed', order: 'newest-first' });
      assert.equal(event?.detail, `trusts: issuer=${issuer.address},repository_id=43`);
      await administration().changeClient(id, { machine: undefined, trusts: [], redirectUris: wiki.redirectUris });
      const { error } = await ask(id, await issuer.sign({ repository_id: '43' }));
      assert.equal(error, 'invalid_client');
      await administration().removeClient(id);
      assert.equal((await ask(id, await issuer.sign())).error, 'invalid_client');
    });

    test('a trust ends when the administrator who granted it could no longer grant it', async () => {
      await using _ = await open();
      server.janua.pass(60_000);
      await addTo(server.janua, `chief-${stores.users}@example.com`.toLowerCase(), [admins]);
      const id = await addProgram('repository_id=42');
      const name = `truster-${stores.users}@example.com`.toLowerCase();
      const userId = await addTo(server.janua, name, [admins]);
      const { users, sessions, administration: people } = server.janua.services;
      const account = (await users.findById(userId)) ?? assert.fail();
      const session = await sessions.start({ userId, stamp: stampOf(account) }, { methods: ['pwd', 'otp', 'mfa'] });
      const change = (body: object) =>
        server.janua.post(`/api/admin/clients/${id}/change`, body, { cookie: `session=${session.cookie}` });
      const changed = await change({ trusts: `issuer=${issuer.address},repository_id=43` });
      assert.equal(changed.statusCode, 200, changed.body);
      const { trusts, machine: granted } = (
        await server.janua.get(`/api/admin/clients/${id}`, { cookie: `session=${session.cookie}` })
      ).json();
      assert.deepEqual([trusts.length, trusts[0].granted_by, granted.granted_by], [1, userId, null]);
      const token = () => issuer.sign({ repository_id: '43' });
      assert.equal(await counts(id, await token()), true);
      await people.changeGroups(name, { remove: [admins] });
      assert.equal(await counts(id, await token()), false);
      assert.match((await reasonOf(id)).detail ?? '', /the administrator who granted the trust/);
      assert.notEqual((await change({ trusts: `issuer=${issuer.address},repository_id=44` })).statusCode, 200);
      await administration().changeClient(id, { trusts: trustsOf('repository_id=43') });
      assert.equal(await counts(id, await token()), true, 'a command granted it again');
    });

    test('is not added to what must not have it', async () => {
      await using _ = await open();
      const sub = 'sub=a';
      const add = (fields: object) =>
        administration().addClient({ ...wiki, own: false, redirectUris: [], machine, ...fields });
      for (const [about, fields] of Object.entries({
        'an application that signs users in': {
          ...{ machine: undefined, redirectUris: wiki.redirectUris },
          trusts: trustsOf(sub),
        },
        'a public client': { isPublic: true, trusts: trustsOf(sub) },
        'six at once': { trusts: trustsOf(...Array.from({ length: 6 }, () => sub)) },
        'our own issuer': { trusts: [parseTrust(`issuer=${server.origin},${sub}`)] },
        'an issuer without TLS': { trusts: [parseTrust(`issuer=http://ci.example.com,${sub}`)] },
        'an issuer with a query': { trusts: [parseTrust(`issuer=https://ci.example.com/?a,${sub}`)] },
        'a very long one': { trusts: trustsOf(`sub=${'a'.repeat(4000)}`) },
      }))
        await assert.rejects(add(fields), { name: 'InvalidFields' }, about);
    });
  });

test('too many tokens that count once are explained as what they are', async () => {
  const [issuer, client] = ['https://auth.example.com', 'https://other.example.com'];
  const key = createIssuerKey('one');
  const prove = createProveWorkload({
    findKeys: () => assert.fail('the keys are uploaded'),
    useAssertion: async () => 'too-many',
    isGranted: async () => true,
    issuer: () => issuer,
    now: () => 1000,
  });
  const keys = JSON.stringify({ keys: [key.jwk] });
  const trusts = [parseTrust(`issuer=${client},sub=job,once,jwks=${keys}`)];
  const token = await signWith(key, { iss: client, sub: 'job', aud: issuer, jti: 'x', iat: 1, exp: 60 });
  const { state, reason } = Object(await prove(token, { clientId: 'hr', trusts }));
  assert.deepEqual([state, reason], ['unknown', 'too-many-workloads']);
});
