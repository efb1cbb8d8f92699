import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Fastify from 'fastify';
import { compose } from '../../../src/compose.ts';
import type { AuthenticationMethod } from '../../../src/core/sessions/store.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import { loadSettings } from '../../../src/ground/config/load.ts';
import type { StepUp } from '../../../src/web/host-app.ts';
import type { App } from '../../../src/web/types.ts';
import { ann, caller, password } from '../../janua.ts';
import { json, sessionCookie } from '../../web/faces.ts';
import { codeOf } from './authenticator-app.ts';

const asJson = { 'x-expected-format': 'application/json' };
const minute = 60_000;

const routes: Readonly<Record<string, StepUp>> = {
  '/recent': { within: '10m' },
  '/strong': { with: 'second-factor' },
  '/both': { within: '90s', with: 'second-factor' },
  '/hourly': { within: '1h' },
};

/** Janua's own server, or another app with Janua in it, with routes that ask for more than a session. */
async function open({ mounted = false, more = {} }: { mounted?: boolean; more?: Record<string, object> } = {}) {
  let time = Date.now();
  const settings = { ...loadSettings({}, {}), LOG_LEVEL: 'silent' as const, DATABASE_URL: 'sqlite::memory:' };
  const composition = await compose(settings, { failureFloor: 0, migrates: true, now: () => time });
  const services = await composition.prepare();
  const app: App = mounted ? Fastify() : await composition.createServer();
  if (mounted) await app.register(await composition.createPlugin(async () => {}));
  for (const [url, signedIn] of Object.entries({ ...routes, ...more }))
    app.get(url, { config: { signedIn } }, async ({ user }) => ({ reader: user.firstName }));
  await app.ready();
  await services.administration.add({ ...ann, password });
  const account = await services.users.findByUsername(ann.username);
  assert.ok(account);
  const { user } = account;
  return {
    ...{ app, services, user },
    pass: (milliseconds: number) => (time += milliseconds),
    codeOf: (secret: string) => codeOf(secret, time),
    /** A session that was started with these proofs. */
    async startWith(...methods: AuthenticationMethod[]) {
      const current = await services.users.findById(user.id);
      assert.ok(current);
      const session = await services.sessions.start({ userId: user.id, stamp: stampOf(current) }, { methods });
      return { authorization: `Bearer ${session.accessToken}` };
    },
    /** Gives Ann an authenticator app, and returns its secret. */
    async addApp(): Promise<string> {
      const current = await services.users.findById(user.id);
      assert.ok(current);
      const token = (await services.createEnrolmentLink(provedBy(current))).split('=')[1] ?? '';
      const { secret } = await services.enrolment.begin(token, caller);
      await services.enrolment.finish(token, codeOf(secret, time), 'en', caller);
      time += minute;
      return secret;
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await composition.close();
    },
  };
}

for (const mounted of [false, true]) {
  describe(`a route ${mounted ? 'of an app with Janua in it' : 'of our own server'} that asks for more than a session`, () => {
    test('judges every combination of proofs and ages', async () => {
      await using opened = await open({ mounted });
      await opened.addApp();
      const proofs: [strong: boolean, ...methods: AuthenticationMethod[]][] = [
        [false, 'pwd'],
        // A code alone is one factor.
        [false, 'otp'],
        [false, 'fed'],
        [true, 'fed', 'mfa'],
        [true, 'pwd', 'otp', 'mfa'],
        [true, 'pwd', 'hwk', 'user', 'mfa'],
        [true, 'hwk', 'user'],
        [true, 'swk', 'user'],
      ];
      const ages = [0, 90_000, 90_001, 10 * minute, 10 * minute + 1, 60 * minute, 60 * minute + 1];
      for (const [strong, ...methods] of proofs) {
        for (const age of ages) {
          const bearer = await opened.startWith(...methods);
          opened.pass(age);
          const statusOf = async (url: string) =>
            (await opened.app.inject({ url, headers: { ...asJson, ...bearer } })).statusCode;
          const expected = {
            '/recent': age <= 10 * minute,
            '/strong': strong,
            '/both': strong && age <= 90_000,
            '/hourly': age <= 60 * minute,
          };
          for (const [url, passes] of Object.entries(expected))
            assert.equal(await statusOf(url), passes ? 200 : 401, `${url} with ${methods} after ${age} ms`);
        }
      }
    });

    test('leads a browser to the confirmation and back, and tells a program what is missing', async () => {
      await using opened = await open({ mounted });
      await opened.addApp();
      const bearer = await opened.startWith('pwd');
      opened.pass(11 * minute);
      for (const [url, challenge] of [
        ['/recent', 'max_age=600'],
        ['/strong', 'acr_values="urn:janua:2fa"'],
        ['/both', 'acr_values="urn:janua:2fa", max_age=90'],
      ] as const) {
        const page = await opened.app.inject({ url: `${url}?a=b`, headers: bearer });
        assert.equal(page.statusCode, 303);
        assert.equal(page.headers.location, `/auth/confirm?next=${encodeURIComponent(`${url}?a=b`)}`);
        const program = await opened.app.inject({ url, headers: { ...asJson, ...bearer } });
        assert.equal(program.statusCode, 401);
        assert.equal(program.json().error, 'insufficient_user_authentication');
        assert.equal(
          program.headers['www-authenticate'],
          `Bearer realm="janua", error="insufficient_user_authentication", ${challenge}`,
        );
        assert.equal((await opened.app.inject({ url, headers: asJson })).statusCode, 401, 'without a session');
      }
    });

    test('passes after a confirmation with both factors, and not with the password alone', async () => {
      await using opened = await open({ mounted });
      const secret = await opened.addApp();
      const confirm = async (bearer: Record<string, string>, fields: object) => {
        const sent = json({ password, ...fields });
        return opened.app.inject({
          method: 'POST',
          url: '/api/confirm',
          ...sent,
          headers: { ...sent.headers, ...bearer },
        });
      };
      const bearer = await opened.startWith('pwd');
      opened.pass(11 * minute);
      assert.equal((await confirm(bearer, {})).statusCode, 422);
      const done = await confirm(bearer, { method: 'totp', code: opened.codeOf(secret) });
      const cookie = { cookie: `session=${sessionCookie(done)}` };
      for (const url of Object.keys(routes))
        assert.deepEqual((await opened.app.inject({ url, headers: cookie })).json(), { reader: 'Ann' }, url);
    });

    test('tells a user without a factor to add one', async () => {
      await using opened = await open({ mounted });
      const bearer = await opened.startWith('pwd');
      for (const url of ['/strong', '/both']) {
        const page = await opened.app.inject({ url, headers: bearer });
        const place = `/account/security?state=7&next=${encodeURIComponent(url)}`;
        assert.deepEqual([page.statusCode, page.headers.location], [303, place]);
        const program = await opened.app.inject({ url, headers: { ...asJson, ...bearer } });
        assert.deepEqual([program.statusCode, program.json().error], [403, 'second_factor_missing']);
      }
      assert.match(
        (await opened.app.inject({ url: '/account/security?state=7', headers: bearer })).body,
        /Add one here/,
      );
    });

    test('fails for everyone if it asks for something unknown', async () => {
      const more = { '/a': { within: '10 minutes' }, '/b': { with: 'third-factor' }, '/c': { whitin: '10m' } };
      await using opened = await open({ mounted, more });
      const bearer = await opened.startWith('hwk', 'user');
      for (const url of Object.keys(more))
        assert.equal((await opened.app.inject({ url, headers: bearer })).statusCode, 500, url);
    });
  });
}
