import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type Account, passwordFingerprint, stampOf } from '../../src/core/users/account.ts';
import { allFailures } from '../capabilities/sign-in/all-failures.ts';
import { meFaces } from '../web/faces.ts';
import { type Route, readAnswer, tell } from './answer.ts';
import { fingerprintOf } from './browsers.ts';
import { factorsOf } from './factors.ts';
import {
  askWho,
  endOf,
  type Failures,
  isAlive,
  type Model,
  type ModelClient,
  type Outcome,
  type Presented,
  publicHalf,
} from './model.ts';
import { type Done, type LookFace, type Operation, request } from './operations.ts';
import { type ModelServer, nobody, usernames } from './server.ts';

/** Every route that depends on who is asking, in each format. */
export const lookFaces: readonly LookFace[] = [
  ...meFaces.map(
    (face): LookFace => ({ ...face, route: { is: 'me', format: face.format, next: String(face.request.url) } }),
  ),
  page('/auth/home', { is: 'home', format: 'json' }, { 'x-expected-format': 'application/json' }),
  page('/auth/home', { is: 'home', format: 'html' }),
  page('/auth/login', { is: 'login page', format: 'html' }),
];

function page(url: string, route: Route, headers = {}): LookFace {
  return {
    name: `GET ${url} as ${route.format}`,
    format: route.format,
    request: { method: 'GET', url, headers },
    route,
  };
}

/**
 * Runs one operation, or two at once, on the server and on the model.
 * @throws {AssertionError} if the answers or the state afterwards differ from the model. With two operations at once,
 *   they have to match for some order of their steps
 */
export async function carryOutBoth(
  model: Model,
  server: ModelServer,
  operations: readonly Operation[],
): Promise<readonly Outcome[]> {
  const done = await Promise.all(operations.map((operation) => operation.send(server)));
  const seen = { done: done.map(({ given: _, ...rest }) => rest), ...(await stateOfServer(server)) };
  let first: object | undefined;
  const almost: Model[] = [];
  for (const order of ordersOf(operations.length)) {
    const candidate = structuredClone(model);
    const outcomes = play(candidate, operations, done, order);
    const says = () => ({
      done: outcomes.map((outcome, index) => operations[index]?.expect(outcome)),
      ...stateOfModel(candidate),
    });
    const expected = says();
    first ??= expected;
    if (!isDeepStrictEqual({ ...seen, failures: [] }, { ...expected, failures: [] })) continue;
    almost.push(candidate);
    candidate.failures = mixFailures(almost, seen.failures);
    if (!isDeepStrictEqual(seen, says())) continue;
    for (const [index, operation] of operations.entries())
      operation.keep(candidate, outcomes[index] as Outcome, done[index] as Done);
    Object.assign(model, candidate);
    return outcomes;
  }
  const names = operations.map(({ name }) => name).join(' and at once ');
  // The error shows the actual result beside the result of the operations one after the other.
  const message = `${names}: not what the model says${operations.length > 1 ? ', in no order' : ''}`;
  throw new assert.AssertionError({ message, actual: seen, expected: first, operator: 'deepStrictEqual' });
}

/**
 * Takes the failures of each key from the candidate that matches the server. Redis changes the keys of an attempt one after
 * another, so that of two attempts at once, each may be the first for some keys.
 */
function mixFailures(candidates: readonly Model[], seen: readonly object[]): Model['failures'] {
  const mixed: Model['failures'] = new Map();
  for (const key of new Set(candidates.flatMap(({ failures }) => [...failures.keys()]))) {
    const found = candidates.map(({ failures }) => failures.get(key));
    const wasSeen = found.find(
      (failures) => failures && seen.some((each) => isDeepStrictEqual(each, shownFailures(failures))),
    );
    const failures = wasSeen ?? (found.includes(undefined) ? undefined : found[0]);
    if (failures !== undefined) mixed.set(key, failures);
  }
  return mixed;
}

/** Each number names the operation that makes the next step. Steps that are left follow at the end. */
function* ordersOf(operations: number): Generator<readonly number[]> {
  yield [];
  if (operations === 1) return;
  const steps = 6;
  yield Array(steps).fill(1);
  yield* mixes(steps, steps);
}

function* mixes(first: number, second: number): Generator<readonly number[]> {
  if (first === 0 || second === 0) return yield [...Array(first).fill(0), ...Array(second).fill(1)];
  for (const rest of mixes(first - 1, second)) yield [0, ...rest];
  for (const rest of mixes(first, second - 1)) yield [1, ...rest];
}

function play(
  model: Model,
  operations: readonly Operation[],
  done: readonly Done[],
  order: readonly number[],
): Outcome[] {
  const actions = operations.map((operation, index) => operation.act(model, done[index]?.given ?? {}));
  const outcomes: Outcome[] = [];
  function goOn(index: number): boolean {
    if (outcomes[index] !== undefined) return false;
    const step = actions[index]?.next();
    if (step?.done) outcomes[index] = step.value;
    return true;
  }
  for (const index of order) goOn(index);
  for (const index of actions.keys()) while (goOn(index));
  return outcomes;
}

/** The visible state of a server, sorted. */
interface State {
  readonly users: readonly object[];
  readonly sessions: readonly object[];
  readonly failures: readonly object[];
}

/** Users, sessions by the public half of their cookie, and counted failures. */
async function stateOfServer(server: ModelServer): Promise<State> {
  const { services } = server;
  const users: object[] = [];
  const sessions: object[] = [];
  const fingerprints = new Set<string>();
  for (const username of usernames) {
    const account = await services.users.findByUsername(username);
    if (account === undefined) continue;
    fingerprints.add(passwordFingerprint(account));
    const userId = account.user.id;
    const { disabled, passwordHash = '' } = account;
    const factors = await readFactors(server, account);
    users.push({ userId, username, disabled, ...factors, ...(await server.readPassword(passwordHash)) });
    for (const { userAgent: _, address: __, ...session } of await services.sessions.listOf(userId, undefined))
      sessions.push({ ...session, userId });
  }
  const names = new Map(usernames.map((username) => [services.audit.digestName(username), username]));
  const failures: object[] = [];
  for (const { nameDigest, passwordFingerprint: of, waitsUntil: _, stopped: __, ...key } of await allFailures(
    services.throttle,
  )) {
    // Failures for a former password no longer count.
    if (of !== undefined && !fingerprints.has(of)) continue;
    failures.push({ ...key, ...(nameDigest !== undefined && { username: names.get(nameDigest) ?? nobody }) });
  }
  return { users: sorted(users), sessions: sorted(sessions), failures: sorted(failures) };
}

async function readFactors({ services: { factors } }: ModelServer, account: Account): Promise<object> {
  const { totp, recoveryCodes, trustedBrowsers } = factors;
  const owner = account.user;
  return {
    hasApp: (await totp.find(owner)) !== undefined,
    recoveryCodes: await recoveryCodes.count(owner),
    trustedBrowsers: (await trustedBrowsers.list(owner, stampOf(account))).length,
  };
}

function stateOfModel(model: Model): State {
  const owners = new Map(model.users.map((user) => [user.id, user]));
  const fingerprints = new Map(model.users.map((user) => [user.id, fingerprintOf(user)]));
  const users = model.users.map(({ id: userId, username, disabled, password, weak, stamp }) => {
    const { app, recoveryCodes } = factorsOf(model, userId);
    const trusted = model.trustedBrowsers.filter((each) => each.userId === userId && each.stamp === stamp);
    return {
      ...{ userId, username, disabled, password, weak, hasApp: app !== undefined },
      ...{ recoveryCodes: recoveryCodes.length, trustedBrowsers: trusted.length },
    };
  });
  const sessions = model.sessions
    .filter((session) => isAlive(model, session) && owners.has(session.userId))
    .map((session) => ({
      id: publicHalf(session.cookie),
      startedAt: new Date(session.startedAt),
      lastSeenAt: new Date(session.lastSeenAt),
      expiresAt: new Date(endOf(session)),
      remembered: session.remembered,
      userId: session.userId,
    }));
  const failures = [...model.failures.values()]
    .filter(({ userId = '', fingerprint }) => fingerprint === undefined || fingerprints.get(userId) === fingerprint)
    .map(shownFailures);
  return { users: sorted(users), sessions: sorted(sessions), failures: sorted(failures) };
}

const shownFailures = ({ fingerprint: _, count, lastAt, ...key }: Failures) =>
  inOrder({ ...key, failures: count, lastFailureAt: new Date(lastAt) });

const inOrder = (item: object) => Object.fromEntries(Object.entries(item).toSorted());

function sorted(items: readonly object[]): readonly object[] {
  return items.map(inOrder).toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

/**
 * Lets every client present all its credentials. Every route has to see the same user as the model.
 * @param faces the faces to try, or only some of them if the next step tries others
 */
export async function requireAgreement(model: Model, server: ModelServer, faces: readonly LookFace[]): Promise<void> {
  const records = await server.countSessions();
  if (records !== undefined) {
    const alive = model.sessions.filter((session) => isAlive(model, session)).length;
    assert.ok(records >= alive && records <= model.sessions.length, `${records} records of ${alive} sessions`);
  }
  for (const [number, client] of model.clients.entries()) {
    for (const presented of presentable(model, client)) {
      for (const face of faces) {
        const answer = readAnswer(await request(server, face.request, { number, client, presented }));
        const expected = tell(face.route, askWho(model, presented), presented);
        assert.deepEqual(answer, expected, `${face.name}, by client ${number} with ${JSON.stringify(presented)}`);
      }
    }
  }
}

/** The combinations that a client can present: its cookie, its token, and both if they belong to different sessions. */
function presentable({ given }: Model, { cookie, accessToken }: ModelClient): readonly Presented[] {
  const none = { cookie: undefined, accessToken: undefined };
  if (cookie === undefined && accessToken === undefined) return [none];
  const areOfOne = given.some((each) => each.cookie === cookie && each.accessToken === accessToken);
  return [
    ...(cookie === undefined ? [] : [{ ...none, cookie }]),
    ...(accessToken === undefined ? [] : [{ ...none, accessToken }]),
    ...(cookie === undefined || accessToken === undefined || areOfOne ? [] : [{ cookie, accessToken }]),
  ];
}
