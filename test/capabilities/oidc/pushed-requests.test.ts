import assert from 'node:assert/strict';
import { after, before, describe, mock, test } from 'node:test';
import * as openid from 'openid-client';
import { mostWaiting } from '../../../src/capabilities/oidc/sign-in/room-limits.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { ann, password } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import {
  type Application,
  type Begun,
  basic,
  openProvider,
  type ProviderUnderTest,
  post,
  requireAnswer,
} from './application.ts';
import { type Browser, hiddenFields, type Place } from './browser.ts';

const choices = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] satisfies StoreChoice[];

interface Pushed {
  readonly begun: Begun;
  /** The address that names the pushed request. */
  readonly address: URL;
  readonly uri: string;
}

/** Begins a sign-in whose request is pushed. */
async function push(app: Application, parameters: Readonly<Record<string, string>> = {}): Promise<Pushed> {
  const begun = await app.begin(parameters);
  const sent = new URLSearchParams(begun.address.search);
  sent.delete('client_id');
  const address = await openid.buildAuthorizationUrlWithPAR(app.config, sent);
  return { begun, address, uri: address.searchParams.get('request_uri') ?? '' };
}

/** Does work after some minutes. Clocks of the server and of the library go on. */
async function later<Result>(milliseconds: number, work: () => Promise<Result>): Promise<Result> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + milliseconds });
  try {
    return await work();
  } finally {
    mock.timers.reset();
  }
}

const minutes = (count: number) => count * 60_000;

/** The address that the login leads back to. */
const nextOf = ({ url }: Place): string => url.searchParams.get('next') ?? '';

const logIn = (browser: Browser, place: Place) =>
  browser.submit('/auth/token', { next: nextOf(place), username: ann.username, password });

const errorOf = (place: Place) => requireAnswer(place).searchParams.get('error');

for (const stores of choices)
  describe(`pushed requests, on ${stores.users}`, { skip: missing(stores.users, stores.sessions) }, () => {
    let server: ProviderUnderTest;
    before(async () => {
      server = await openProvider({ stores, settings: { SIGN_UP: 'on', TRUSTED_PROXIES: ['127.0.0.1'] } });
      await server.janua.services.clientAdministration.addResource({
        uri: 'https://files.example.com',
        scopes: ['files:read'],
        tokenFormat: 'opaque',
      });
    });
    after(() => server[Symbol.asyncDispose]());

    async function lastReason() {
      const [event] = await server.janua.events({ kind: 'application-refused', order: 'newest-first' });
      assert.ok(event && 'reason' in event);
      return event.reason;
    }

    test('signs in a browser with a session, once', async () => {
      const app = await server.addApplication();
      const browser = await server.browser();
      const { begun, address, uri } = await push(app);
      assert.match(uri, /^urn:ietf:params:oauth:request_uri:[\w-]{43}$/);
      assert.deepEqual([...address.searchParams.keys()].sort(), ['client_id', 'request_uri']);
      const answer = requireAnswer(await browser.open(address));
      assert.equal((await app.finish(begun, answer)).claims()?.email, ann.username);
      const again = await browser.open(address);
      assert.deepEqual([again.isElsewhere, again.status], [false, 400]);
      assert.equal(await lastReason(), 'pushed-over');
    });

    test('where a client demands it, a login of five minutes leads back, and so does one of fourteen', async () => {
      const app = await server.addApplication({ pushedRequests: true });
      const byValue = await app.begin();
      const refused = await (await server.browser()).open(byValue.address);
      assert.equal(errorOf(refused), 'invalid_request');
      assert.equal(await lastReason(), 'not-pushed');
      for (const waited of [0, 5, 14]) {
        const browser = await server.browser(false);
        const { begun, address } = await push(app);
        const login = await browser.open(address);
        assert.match(login.text, /Wiki/, 'the login names the application');
        const tokens = await later(minutes(waited), async () =>
          app.finish(begun, requireAnswer(await logIn(browser, login))),
        );
        assert.ok(tokens.id_token, `${waited} minutes`);
      }
      const browser = await server.browser(false);
      const login = await browser.open((await push(app)).address);
      const late = await later(minutes(16), () => logIn(browser, login));
      assert.equal(late.isElsewhere && !late.url.searchParams.has('error'), false, 'after its end');
    });

    test('a request that waited counts once, whichever way it comes', async () => {
      const app = await server.addApplication({ pushedRequests: true });
      const { begun, address } = await push(app);
      const browser = await server.browser(false);
      const login = await browser.open(address);
      const next = nextOf(login);
      assert.ok(next.includes('request_uri') && next.includes('asked_at'));
      const answers = await Promise.all(Array.from({ length: 20 }, async () => (await server.browser()).open(next)));
      const codes = answers.filter(({ url }) => url.searchParams.has('code'));
      assert.equal(codes.length, 1);
      assert.ok((await app.finish(begun, codes[0]?.url ?? address)).id_token);
      for (const again of [address, next])
        assert.equal((await (await server.browser()).open(again)).url.searchParams.has('code'), false);
      const waits = await (await server.browser(false)).open(next);
      assert.equal(errorOf(waits), 'invalid_request_uri', 'nor does it wait anew');
    });

    test('only what this server has signed counts as pushed', async () => {
      const app = await server.addApplication({ pushedRequests: true });
      const { address, uri } = await push(app);
      const login = await (await server.browser(false)).open(address);
      const next = new URL(nextOf(login), server.origin);
      const begun = await app.begin();
      const forged = new URL(begun.address);
      forged.searchParams.set('request_uri', `${uri.slice(0, -1)}_`);
      const changed = new URL(next);
      changed.searchParams.set('state', 'other');
      const moved = new URL(next);
      moved.searchParams.set('redirect_uri', 'https://evil.example.com/callback');
      for (const [about, url] of Object.entries({ forged, changed, moved })) {
        const place = await (await server.browser()).open(url);
        const { searchParams, origin } = place.url;
        assert.notEqual(origin, 'https://evil.example.com', about);
        assert.notEqual(searchParams.get('state'), 'other', about);
        if (about === 'forged') assert.equal(searchParams.has('code'), false, about);
      }
    });

    test('serves no other client, and ends after a minute', async () => {
      const [app, other] = [await server.addApplication(), await server.addApplication()];
      const { address } = await push(app);
      const stolen = new URL(address);
      stolen.searchParams.set('client_id', other.clientId);
      const place = await (await server.browser()).open(stolen);
      assert.deepEqual([place.isElsewhere, place.status], [false, 400]);
      const late = await later(minutes(1.5), async () => (await server.browser()).open(address));
      assert.deepEqual([late.isElsewhere, late.status], [false, 400]);
      assert.equal(await lastReason(), 'pushed-over');
      await server.janua.services.clientAdministration.removeClient(app.clientId);
      assert.equal((await (await server.browser()).open(address)).status, 400, 'nor without its client');
    });

    test('is taken from a client that proves itself, and as short as other requests', async () => {
      const app = await server.addApplication();
      const { address } = await app.begin();
      const fields = Object.fromEntries(address.searchParams);
      const send = async (more: Readonly<Record<string, string>>, headers = basic(app)) => {
        const answer = await post(server, '/oidc/par', { ...fields, ...more }, headers);
        const { error, error_description: words } = (await answer.json()) as Record<string, string>;
        return [answer.status, error, words] as const;
      };
      assert.equal((await send({}))[0], 201);
      for (const [about, more, headers, status, error] of [
        ['no proof', {}, {}, 401, 'invalid_client'],
        ['a wrong secret', {}, basic({ ...app, secret: 'x' }), 401, 'invalid_client'],
        ['another address', { redirect_uri: 'https://evil.example.com/' }, basic(app), 400, 'invalid_request'],
        ['another request', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }, basic(app), 400, undefined],
        [
          'no challenge',
          { code_challenge: '', code_challenge_method: '', nonce: '' },
          basic(app),
          400,
          'invalid_request',
        ],
        ['an unknown resource', { resource: 'https://other.example.com' }, basic(app), 400, 'invalid_target'],
        ['too long', { state: 'x'.repeat(2049) }, basic(app), 400, 'invalid_request'],
        [
          'too long in all',
          { state: 'x'.repeat(2000), claims: `{"userinfo":{"${'x'.repeat(700)}":null}}` },
          basic(app),
          400,
          'invalid_request',
        ],
      ] as const) {
        const [found, name] = await send(more, headers as ReturnType<typeof basic>);
        assert.equal(found, status, about);
        if (error !== undefined) assert.equal(name, error, about);
      }
      const long = await push(app, { state: 'x'.repeat(1500) });
      assert.ok(
        requireAnswer(await logIn(await server.browser(false), await (await server.browser(false)).open(long.address))),
      );
    });

    test('asks what its parameters ask, and all the scopes of its resource', async () => {
      const app = await server.addApplication({ own: false, pushedRequests: true });
      const browser = await server.browser();
      const { begun, address } = await push(app, { resource: 'https://files.example.com', scope: 'openid' });
      const consent = await browser.open(address);
      assert.match(consent.text, /files:read/);
      const tokens = await later(minutes(5), async () => {
        const decided = { ...hiddenFields(consent.text), decision: 'allow' };
        return app.finish(begun, requireAnswer(await browser.submit(consent.url, decided)));
      });
      assert.match(tokens.scope ?? '', /files:read/);
      const another = await server.browser();
      const choosing = await push(app, { prompt: 'select_account' });
      const page = await another.open(choosing.address);
      assert.match(page.text, /Use another account/);
      const other = await another.submit(page.url, { ...hiddenFields(page.text), decision: 'another' });
      const next = nextOf(other);
      assert.match(next, /request_uri/, 'with another account, it still counts as pushed');
      const creating = await push(app, { prompt: 'create' });
      const signUp = await (await server.browser(false)).open(creating.address);
      assert.match(signUp.url.href, /request_uri/);
      assert.doesNotMatch(signUp.url.href, /prompt/);
    });

    test('public clients push too, and what they push is bounded together', async () => {
      const app = await server.addApplication({ isPublic: true });
      const { begun, address } = await push(app);
      assert.ok((await app.finish(begun, requireAnswer(await (await server.browser()).open(address)))).id_token);
      const confidential = await server.addApplication();
      const kept = await push(confidential);
      const { database } = server.janua.services;
      const rows = database
        .selectFrom('janua_oidc_records')
        .selectAll()
        .where('model', '=', 'PushedAuthorizationRequest');
      await push(app);
      const row = await rows.where('party', 'like', 'network %').executeTakeFirstOrThrow();
      const copies = Array.from({ length: mostWaiting.pushed }, (_, index) => ({ ...row, id: `copy ${index}` }));
      await insertAll(database, 'janua_oidc_records', copies);
      const fields = Object.fromEntries((await app.begin()).address.searchParams);
      const elsewhere = await post(server, '/oidc/par', fields, { 'x-forwarded-for': '192.0.2.7' });
      assert.equal(elsewhere.status, 201);
      const found = await rows.where('party', 'like', 'network %').execute();
      assert.equal(found.length, mostWaiting.pushed);
      assert.equal(found.filter(({ party }) => party !== row.party).length, 1, 'the largest network loses');
      assert.ok(requireAnswer(await (await server.browser()).open(kept.address)), 'no client that proves itself does');
      const own = await rows.where('party', '=', `client ${confidential.clientId}`).execute();
      assert.equal(own.length, 0, 'a used one is gone');
      await push(confidential);
      const [one] = await rows.where('party', '=', `client ${confidential.clientId}`).execute();
      assert.ok(one);
      await insertAll(
        database,
        'janua_oidc_records',
        copies.map(({ id }) => ({ ...one, id: `own ${id}` })),
      );
      await push(confidential);
      assert.equal((await rows.where('party', '=', one.party).execute()).length, mostWaiting.pushed);
    });
  });
