import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import * as openid from 'openid-client';
import { password } from '../../janua.ts';
import { isLong } from '../../long.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { type Application, openProvider, type ProviderUnderTest, requireAnswer } from './application.ts';
import type { Browser } from './browser.ts';

/** What the promises say of one user with two browsers and two applications. It knows no store and no protocol. */
interface Model {
  stamp: number;
  isEnabled: boolean;
  /** The session of each browser, if one was started. */
  sessions: (ModelSession | undefined)[];
  given: Given[];
}

interface ModelSession {
  readonly stamp: number;
  isOver: boolean;
}

/** What an application got in a session. */
interface Given {
  readonly app: number;
  readonly session: ModelSession;
  readonly stamp: number;
  isRevoked: boolean;
  accessToken: string;
  refreshToken: string;
}

/** The operator's own wiki, whose tokens end with the session; and a program of the user's machine, whose tokens last. */
const [wiki, program] = [0, 1];

const lives = (model: Model, session: ModelSession | undefined): session is ModelSession =>
  session !== undefined && !session.isOver && model.isEnabled && session.stamp === model.stamp;

const counts = (model: Model, { app, session, stamp, isRevoked }: Given): boolean =>
  !isRevoked && model.isEnabled && (app === program ? stamp === model.stamp : lives(model, session));

const which = fc.nat(1);
const any = fc.nat(99);
const actions = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ is: fc.constant('signIn' as const), browser: which, app: which }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('logIn' as const), browser: which }) },
    { weight: 3, arbitrary: fc.record({ is: fc.constant('refresh' as const), index: any }) },
    fc.record({ is: fc.constant('logOut' as const), browser: which }),
    fc.record({ is: fc.constant('revoke' as const), browser: which, app: which }),
    fc.record({ is: fc.constantFrom('setPassword' as const, 'disable' as const, 'enable' as const) }),
  ),
  { minLength: 5, maxLength: 20 },
);

type Action = typeof actions extends fc.Arbitrary<(infer One)[]> ? One : never;

let users = 0;

async function play(server: ProviderUnderTest, apps: readonly Application[], sequence: readonly Action[]) {
  users += 1;
  const username = `user${users}@example.com`;
  const { people, services } = server.janua;
  await people.add({ username, password, firstName: 'Una', lastName: 'User' });
  const browsers = [await server.browser(false), await server.browser(false)];
  const model: Model = { stamp: 0, isEnabled: true, sessions: [undefined, undefined], given: [] };
  const end = (session: ModelSession | undefined) => session && Object.assign(session, { isOver: true });

  async function signIn(app: Application, browser: Browser) {
    const begun = await app.begin();
    let place = await browser.open(begun.address);
    if (/name="decision"/.test(place.text)) place = await browser.submit(place.url, { decision: 'allow' });
    return place.isElsewhere ? app.finish(begun, requireAnswer(place)) : undefined;
  }

  async function carryOut(action: Action): Promise<void> {
    const index = 'browser' in action ? action.browser : 0;
    const browser = browsers[index] as Browser;
    const session = model.sessions[index];
    switch (action.is) {
      case 'logIn':
        await browser.logIn(username, password);
        if (!model.isEnabled) return;
        end(session);
        model.sessions[index] = { stamp: model.stamp, isOver: false };
        return;
      case 'logOut':
        await browser.submit('/auth/logout', {});
        end(session);
        return;
      case 'signIn': {
        const tokens = await signIn(apps[action.app] as Application, browser);
        assert.equal(tokens !== undefined, lives(model, session));
        if (tokens === undefined || session === undefined) return;
        const [accessToken, refreshToken] = [tokens.access_token, tokens.refresh_token ?? ''];
        const { stamp } = model;
        model.given.push({ app: action.app, session, stamp, isRevoked: false, accessToken, refreshToken });
        return;
      }
      case 'refresh': {
        const given = model.given[action.index % model.given.length];
        if (given === undefined) return;
        const { config } = apps[given.app] as Application;
        const tokens = await openid.refreshTokenGrant(config, given.refreshToken).catch(() => undefined);
        assert.equal(tokens !== undefined, counts(model, given));
        if (tokens === undefined) return;
        given.accessToken = tokens.access_token;
        given.refreshToken = tokens.refresh_token ?? '';
        return;
      }
      case 'revoke':
        await browser.submit('/account/applications/revoke', { client_id: apps[action.app]?.clientId ?? '' });
        if (!lives(model, session)) return;
        for (const given of model.given) if (given.app === action.app) given.isRevoked = true;
        return;
      case 'setPassword':
        await services.administration.setPassword(username, password);
        model.stamp += 1;
        return;
      case 'disable':
        await people.disable(username);
        model.isEnabled = false;
        model.stamp += 1;
        return;
      case 'enable':
        await people.enable(username);
        model.isEnabled = true;
    }
  }

  async function compare(): Promise<void> {
    for (const given of model.given) {
      const { config } = apps[given.app] as Application;
      const info = openid.fetchUserInfo(config, given.accessToken, openid.skipSubjectCheck);
      const isTaken = await info.then(
        () => true,
        () => false,
      );
      assert.equal(isTaken, counts(model, given), given.app === wiki ? 'wiki' : 'program');
    }
  }

  for (const action of sequence) {
    await carryOut(action);
    await compare();
  }
}

for (const [stores, numRuns] of [
  [{ users: 'SQLite', sessions: 'SQL' }, 12],
  [{ users: 'MariaDB', sessions: 'Redis' }, isLong ? 12 : 4],
] as const satisfies [StoreChoice, number][]) {
  describe(`one user and two applications, users in ${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('tokens count exactly as long as the model says, after any actions', async () => {
      await using server = await openProvider({ stores });
      const apps = [
        await server.addApplication(),
        await server.addApplication({ own: false, isPublic: true, redirectUris: ['http://127.0.0.1/callback'] }),
      ];
      await fc.assert(
        fc.asyncProperty(actions, (sequence) => play(server, apps, sequence)),
        { numRuns, endOnFailure: true },
      );
    });
  });
}
