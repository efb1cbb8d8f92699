import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AuthenticationMethod } from '../../../src/core/sessions/store.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import type { StepUp } from '../../../src/web/host-app.ts';
import type { SentHeaders } from '../../client.ts';
import { caller, password, startJanua } from '../../janua.ts';
import { asJson, sessionCookie } from '../../web/faces.ts';
import { codeOf } from './authenticator-app.ts';

const minute = 60_000;

const routes: Readonly<Record<string, StepUp>> = {
  '/recent': { within: '10m' },
  '/strong': { with: 'second-factor' },
  '/both': { within: '90s', with: 'second-factor' },
  '/hourly': { within: '1h' },
};

/** Janua's own server, or another app with Janua in it, with routes that ask for more than a session. */
async function open({ mounted = false, more = {} }: { mounted?: boolean; more?: Record<string, object> } = {}) {
  const janua = await startJanua({
    ...{ time: Date.now(), stores: { users: 'SQLite', sessions: 'SQL', mounted } },
    addRoutes(app) {
      for (const [url, signedIn] of Object.entries({ ...routes, ...more }))
        app.get(url, { config: { signedIn } }, async ({ user }) => ({ reader: user.firstName }));
    },
  });
  const { services } = janua;
  return {
    ...janua,
    codeOf: (secret: string) => codeOf(secret, janua.now()),
    /** A session that was started with these proofs. */
    async startWith(...methods: AuthenticationMethod[]) {
      const session = await services.sessions.start(provedBy(await janua.account()), { methods });
      return { authorization: `Bearer ${session.accessToken}` };
    },
    /** Gives Ann an authenticator app, and returns its secret. */
    async addApp(): Promise<string> {
      const token = (await services.createEnrolmentLink(provedBy(await janua.account()))).split('=')[1] ?? '';
      const { secret } = await services.enrolment.begin(token, caller);
      await services.enrolment.finish(token, codeOf(secret, janua.now()), 'en', caller);
      janua.pass(minute);
      return secret;
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
          const statusOf = async (url: string) => (await opened.get(url, { ...asJson, ...bearer })).statusCode;
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
        const page = await opened.get(`${url}?a=b`, bearer);
        assert.equal(page.statusCode, 303);
        assert.equal(page.headers.location, `/auth/confirm?next=${encodeURIComponent(`${url}?a=b`)}`);
        const program = await opened.get(url, { ...asJson, ...bearer });
        assert.equal(program.statusCode, 401);
        assert.equal(program.json().error, 'insufficient_user_authentication');
        assert.equal(
          program.headers['www-authenticate'],
          `Bearer realm="janua", error="insufficient_user_authentication", ${challenge}`,
        );
        assert.equal((await opened.get(url, asJson)).statusCode, 401, 'without a session');
      }
    });

    test('passes after a confirmation with both factors, and not with the password alone', async () => {
      await using opened = await open({ mounted });
      const secret = await opened.addApp();
      const confirm = (bearer: SentHeaders, fields: object) =>
        opened.post('/api/confirm', { password, ...fields }, bearer);
      const bearer = await opened.startWith('pwd');
      opened.pass(11 * minute);
      assert.equal((await confirm(bearer, {})).statusCode, 422);
      const done = await confirm(bearer, { method: 'totp', code: opened.codeOf(secret) });
      const cookie = { cookie: `session=${sessionCookie(done)}` };
      for (const url of Object.keys(routes))
        assert.deepEqual((await opened.get(url, cookie)).json(), { reader: 'Ann' }, url);
    });

    test('tells a user without a factor to add one', async () => {
      await using opened = await open({ mounted });
      const bearer = await opened.startWith('pwd');
      for (const url of ['/strong', '/both']) {
        const page = await opened.get(url, bearer);
        const place = `/account/security?state=7&next=${encodeURIComponent(url)}`;
        assert.deepEqual([page.statusCode, page.headers.location], [303, place]);
        const program = await opened.get(url, { ...asJson, ...bearer });
        assert.deepEqual([program.statusCode, program.json().error], [403, 'second_factor_missing']);
      }
      assert.match((await opened.get('/account/security?state=7', bearer)).body, /Add one here/);
    });

    test('fails for everyone if it asks for something unknown', async () => {
      const more = { '/a': { within: '10 minutes' }, '/b': { with: 'third-factor' }, '/c': { whitin: '10m' } };
      await using opened = await open({ mounted, more });
      const bearer = await opened.startWith('hwk', 'user');
      for (const url of Object.keys(more)) assert.equal((await opened.get(url, bearer)).statusCode, 500, url);
    });
  });
}
