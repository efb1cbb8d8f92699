import {
  attemptCode,
  factorsOf,
  findPending,
  findStep,
  type ModelFactors,
  mostTries,
  type SentCode,
  waitsFor,
} from './factors.ts';
import {
  type Action,
  type Credentials,
  endSessions,
  endSessionsOf,
  endTrustOf,
  findById,
  findByName,
  findSignedIn,
  type Model,
  type ModelClient,
  type ModelUser,
  type Outcome,
  type OwnChange,
  type Presented,
  renew,
  requireFresh,
  type SignedIn,
  startSession,
  usePresented,
  voidLinks,
} from './model.ts';
import { clear, keysOf, strangersKeys } from './throttle.ts';

/** The second step of a login. */
export interface Step {
  client: ModelClient;
  presented: Presented;
  /** The secret of the login that waits. */
  secret: string;
  code: SentCode;
  trusts: boolean;
}

/** What the server gave for a second factor. */
export interface GivenByStep {
  credentials?: Credentials;
  trusted?: string | undefined;
}

export function* finishLogin(model: Model, step: Step, { credentials, trusted }: GivenByStep): Action {
  const { client, presented, secret, code, trusts } = step;
  const found = findPending(model, secret);
  yield;
  if (found === undefined) return { is: 'login-over' };
  const { login } = found;
  // Many may be tried at the same time.
  if (login.isOver || login.tries === mostTries) return { is: 'login-over' };
  login.tries += 1;
  const refusal = yield* attemptCode(model, login.userId, client, code);
  if (refusal?.is === 'invalid-factor') {
    yield;
    return findPending(model, secret) === undefined ? { is: 'login-over' } : refusal;
  }
  if (refusal !== undefined) {
    login.tries -= 1;
    return refusal;
  }
  yield;
  if (login.isOver) return { is: 'login-over' };
  login.isOver = true;
  findSignedIn(model, presented);
  const replaced = usePresented(model, presented);
  yield;
  endSessions(model, replaced);
  const user = findById(model, login.userId);
  if (user === undefined || user.disabled || user.stamp !== login.stamp) return { is: 'login-over' };
  const started = startSession(model, user, credentials, { remembered: login.remembered, byFactor: true });
  clear(model, [...keysOf(user, user.username, client), ...strangersKeys(user, user.username, client)]);
  const { id: userId, stamp } = user;
  if (trusts) model.trustedBrowsers.push({ secret: trusted ?? '(none was given)', userId, stamp });
  return { is: 'logged-in', again: false, ...started };
}

/** What users change themselves. Each change needs a fresh proof that was given before. */
export type FactorChange = Omit<OwnChange, 'current'>;

const requireProof = (model: Model, change: FactorChange) => requireFresh(model, { ...change, current: undefined });

/** @param secret from the server */
export function* beginApp(model: Model, change: FactorChange, secret = '(none was given)'): Action {
  const proof = yield* requireProof(model, change);
  if (proof.is !== 'fresh') return proof;
  factorsOf(model, proof.signedIn.user.id).begun = { secret, at: model.now };
  return { is: 'begun' };
}

/** What the server gave for a change. */
export interface GivenByChange {
  credentials?: Credentials;
  recoveryCodes?: readonly string[] | undefined;
}

export function* enableApp(model: Model, change: FactorChange, code: string, given: GivenByChange): Action {
  const proof = yield* requireProof(model, change);
  if (proof.is !== 'fresh') return proof;
  const factors = factorsOf(model, proof.signedIn.user.id);
  const { begun } = factors;
  const waits = begun !== undefined && model.now - begun.at < waitsFor;
  const lastStep = waits ? findStep(begun.secret, code, model.now) : undefined;
  if (begun === undefined || lastStep === undefined) return { is: 'invalid' };
  Object.assign(factors, { begun: undefined, app: { secret: begun.secret, lastStep } });
  return changed(model, proof.signedIn, factors, given, { byFactor: true });
}

export function* removeApp(model: Model, change: FactorChange, given: GivenByChange): Action {
  const proof = yield* requireProof(model, change);
  if (proof.is !== 'fresh') return proof;
  const factors = factorsOf(model, proof.signedIn.user.id);
  if (factors.app === undefined) return { is: 'no-such-factor' };
  Object.assign(factors, { begun: undefined, app: undefined });
  return changed(model, proof.signedIn, factors, given);
}

export function* renewCodes(model: Model, change: FactorChange, given: GivenByChange): Action {
  const proof = yield* requireProof(model, change);
  if (proof.is !== 'fresh') return proof;
  const factors = factorsOf(model, proof.signedIn.user.id);
  if (factors.app === undefined) return { is: 'no-such-factor' };
  giveCodes(factors, []);
  return changed(model, proof.signedIn, factors, given);
}

export function* endTrust(model: Model, change: FactorChange): Action {
  const proof = yield* requireProof(model, change);
  if (proof.is !== 'fresh') return proof;
  endTrustOf(model, proof.signedIn.user.id);
  return { is: 'done' };
}

/** What an administrator does for a user who has lost all factors. */
export function* removeFactors(model: Model, username: string): Action {
  const user = findByName(model, username);
  yield;
  if (user === undefined) return { is: 'refused' };
  const factors = factorsOf(model, user.id);
  // A change that changes nothing is none.
  if (factors.app === undefined && factors.recoveryCodes.length === 0) return { is: 'done' };
  Object.assign(factors, { begun: undefined, app: undefined });
  giveCodes(factors, []);
  voidAll(model, user);
  yield;
  endSessionsOf(model, user.id);
  return { is: 'done' };
}

function giveCodes(factors: ModelFactors, codes: readonly string[]): void {
  factors.spent.push(...factors.recoveryCodes);
  factors.recoveryCodes = [...codes];
}

/** A change of factors voids what was proved or trusted before. */
function voidAll(model: Model, user: ModelUser): void {
  user.stamp += 1;
  voidLinks(model, user.id);
  endTrustOf(model, user.id);
}

function changed(
  model: Model,
  signedIn: SignedIn,
  factors: ModelFactors,
  given: GivenByChange,
  proof?: { byFactor: true },
): Outcome {
  const { user, session } = signedIn;
  voidAll(model, user);
  const givesCodes = factors.app !== undefined && factors.recoveryCodes.length === 0;
  if (givesCodes) giveCodes(factors, given.recoveryCodes ?? []);
  if (factors.app === undefined) giveCodes(factors, []);
  endSessions(
    model,
    model.sessions.filter(({ userId, cookie }) => userId === user.id && cookie !== session.cookie),
  );
  return { ...renew(model, signedIn, given.credentials, proof), givesCodes };
}
