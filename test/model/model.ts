import { fingerprintOf } from './browsers.ts';
import {
  attemptCode,
  hasFactor,
  lacksFactor,
  type ModelFactors,
  type PendingLogin,
  type SentCode,
  startPending,
  type TrustedBrowser,
} from './factors.ts';
import { clear, count, keysOf, liftFailures, strangersKeys, takeBack, waitOf } from './throttle.ts';

/**
 * A model of the whole flow: which credential signs which user in, and which attempts have to wait. It is a few lists, and
 * actions that do only what is promised. It knows no format, path or store, so that all of them have to agree with it.
 */
export interface Model {
  /** Milliseconds since 1970. */
  now: number;
  users: ModelUser[];
  /** All sessions that were not ended. Some may have expired. */
  sessions: ModelSession[];
  clients: ModelClient[];
  /** All credentials ever given out. A client may present a copied one later. */
  given: Credentials[];
  /** Links that were mailed and are not void. Some may have expired. */
  links: ModelLink[];
  /** All links ever mailed. A client may use one again. */
  mailed: ModelLink[];
  /** Requests for mails, because too many are not answered by one. */
  asked: AskedMail[];
  failures: Map<string, Failures>;
  /** By the id of the user. */
  factors: Map<string, ModelFactors>;
  /** All logins that have ever waited for a second factor. */
  pendingLogins: PendingLogin[];
  trustedBrowsers: TrustedBrowser[];
}

export interface ModelUser {
  id: string;
  username: string;
  firstName: string;
  password: string;
  /** Changes whenever the password gets a new hash. */
  hashVersion: number;
  /** Changes with everything that ends all sessions. */
  stamp: number;
  /** Whether its hash has weak parameters. The next login replaces it. */
  weak: boolean;
  disabled: boolean;
}

/** The credentials from a login. A page contains no access token. */
export interface Credentials {
  cookie: string;
  accessToken: string | undefined;
}

export interface ModelSession extends Credentials {
  userId: string;
  stamp: number;
  remembered: boolean;
  startedAt: number;
  lastSeenAt: number;
  /** When the owner last proved who they are, and whether by a second factor too. */
  authenticatedAt: number;
  byFactor: boolean;
}

export type LinkPurpose = 'reset-password' | 'confirm-email' | 'sign-up';

export interface ModelLink {
  token: string;
  purpose: LinkPurpose;
  /** Undefined if there is no account yet. */
  userId: string | undefined;
  address: string;
  expiresAt: number;
}

export interface AskedMail {
  purpose: LinkPurpose;
  address: string;
  client: string;
  at: number;
}

/** A browser, a program, or both. */
export interface ModelClient {
  address: string;
  cookie: string | undefined;
  accessToken: string | undefined;
  browserCookie: string | undefined;
  /** The cookies of the second factor. */
  pending: string | undefined;
  trusted: string | undefined;
  /** The accounts that know the browser, each with the password of its login, the latest first. */
  browserOf: readonly BrowserOwner[];
}

export interface BrowserOwner {
  userId: string;
  fingerprint: string;
}

/** The failures of one key. */
export interface Failures {
  kind: 'account' | 'name' | 'pair' | 'address' | 'browser' | 'factor-account' | 'factor-pair' | 'factor-address';
  userId?: string;
  fingerprint?: string;
  username?: string;
  address?: string;
  count: number;
  lastAt: number;
}

export interface Presented {
  cookie: string | undefined;
  accessToken: string | undefined;
}

/** The result of an action, independent of the format of its answer. */
export type Outcome =
  | ({ is: 'logged-in'; again: boolean } & Admitted)
  | ({ is: 'signed-up' } & Admitted)
  /** The session goes on with new credentials. Some changes give recovery codes too. */
  | ({ is: 'renewed'; givesCodes?: boolean } & Admitted)
  /** The password was right, and one of the methods is missing. */
  | { is: 'mfa-required'; methods: string }
  | { is: 'invalid-factor' }
  | { is: 'login-over' }
  | { is: 'too-many-codes'; retryAfterSeconds: number }
  /** The secret of a new authenticator app was shown. */
  | { is: 'begun' }
  | { is: 'no-such-factor' }
  /** A mail was asked for. `linked` tells whether one with a link was sent, which the answer does not. */
  | { is: 'asked'; linked: boolean }
  | { is: 'link-refused' }
  | { is: 'invalid' }
  /** The owner has to prove first who they are. */
  | { is: 'stale' }
  | { is: 'no-such-session' }
  /** A new address. The page of a link leads its user further, and others to the login. */
  | { is: 'confirmed'; byOwner: boolean }
  | { is: 'ended-own' }
  | { is: 'refused' }
  | { is: 'throttled'; retryAfterSeconds: number }
  | { is: 'signed-in'; user: ModelUser }
  | { is: 'signed-out' }
  | { is: 'logged-out' }
  | { is: 'no-session' }
  | { is: 'done'; looksOver?: boolean };

interface Admitted extends BrowserOwner {
  expiresInSeconds: number;
}

/** An action in steps. Steps of other actions may come in between. */
export type Action = Generator<undefined, Outcome, undefined>;

/** Short enough for a sequence of commands to reach both ends. */
export const idleTimeoutSeconds = 60 * 60;
export const lifetimeSeconds = 3 * 60 * 60;

/** The same for users who chose to stay signed in. */
export const rememberedIdleSeconds = 2 * 60 * 60;
export const rememberedLifetimeSeconds = 5 * 60 * 60;

export const minute = 60_000;

/** How long a proof of identity is fresh, in milliseconds. */
const freshFor = 10 * minute;

/** How long links work, in milliseconds. */
const linkLifetimes = { 'reset-password': 30 * minute, 'confirm-email': 24 * 60 * minute, 'sign-up': 24 * 60 * minute };

export const idleEndOf = ({ lastSeenAt, remembered }: ModelSession) =>
  lastSeenAt + (remembered ? rememberedIdleSeconds : idleTimeoutSeconds) * 1000;
export const lifetimeEndOf = ({ startedAt, remembered }: ModelSession) =>
  startedAt + (remembered ? rememberedLifetimeSeconds : lifetimeSeconds) * 1000;
export const endOf = (session: ModelSession) => Math.min(idleEndOf(session), lifetimeEndOf(session));
export const isAlive = ({ now }: Model, session: ModelSession) => now < endOf(session);

/** Finds the session and notes its use, to within a minute. */
function useSession(
  model: Model,
  kind: 'cookie' | 'accessToken',
  credential: string | undefined,
): ModelSession | undefined {
  if (credential === undefined) return undefined;
  const session = model.sessions.find((each) => each[kind] === credential);
  if (session === undefined || !isAlive(model, session)) return undefined;
  if (model.now - session.lastSeenAt >= minute) session.lastSeenAt = model.now;
  return session;
}

export interface SignedIn {
  user: ModelUser;
  session: ModelSession;
}

/** If there is an access token, it alone decides. */
export function findSignedIn(model: Model, { cookie, accessToken }: Presented): SignedIn | undefined {
  const session =
    accessToken === undefined ? useSession(model, 'cookie', cookie) : useSession(model, 'accessToken', accessToken);
  if (session === undefined) return undefined;
  const user = findById(model, session.userId);
  if (user !== undefined && !user.disabled && user.stamp === session.stamp) return { user, session };
  endSessions(model, [session]);
  return undefined;
}

export const usePresented = (model: Model, { cookie, accessToken }: Presented) =>
  [useSession(model, 'cookie', cookie), useSession(model, 'accessToken', accessToken)].filter(
    (session) => session !== undefined,
  );

/** Tells whether any of the sessions was still there. */
export function endSessions(model: Model, ended: readonly ModelSession[]): boolean {
  const left = model.sessions.filter((session) => ended.every(({ cookie }) => cookie !== session.cookie));
  const someEnded = left.length < model.sessions.length;
  model.sessions = left;
  return someEnded;
}

// Actions of a client

export interface LoginAttempt {
  client: ModelClient;
  username: string;
  password: string;
  presented: Presented;
  remember: boolean;
}

/** @param given the credentials from the server, if the login passed, or the secret of the login if it has to wait */
export function* logIn(
  model: Model,
  attempt: LoginAttempt,
  given: Credentials | undefined,
  pending: string | undefined,
): Action {
  const { client, username, password, presented, remember } = attempt;
  const found = findByName(model, username);
  const account = found && { ...found };
  yield;
  const refusal = yield* attemptPassword(model, account, username, password, client);
  if (refusal !== undefined || account === undefined) return refusal ?? { is: 'refused' };
  yield;
  if (lacksFactor(model, account, client)) return startPending(model, account, remember, pending);
  const again = findSignedIn(model, presented) !== undefined;
  const replaced = usePresented(model, presented);
  yield;
  // Even when the account changes at this moment. Otherwise both sessions, or an old one that has to end, would be alive for a moment.
  endSessions(model, replaced);
  const current = findById(model, account.id);
  if (current === undefined || current.disabled || current.password !== password) return { is: 'refused' };
  if (lacksFactor(model, current, client)) return startPending(model, current, remember, pending);
  return { is: 'logged-in', again, ...startSession(model, current, given, { remembered: remember }) };
}

/** Counts an attempt by all its keys, and checks the password. Gives the refusal, if it is one. */
function* attemptPassword(
  model: Model,
  account: ModelUser | undefined,
  username: string,
  password: string,
  client: ModelClient,
): Generator<undefined, Outcome | undefined, undefined> {
  const keys = keysOf(account, username, client);
  const wait = Math.max(...keys.map((key) => waitOf(model, key)));
  if (wait > 0) return { is: 'throttled', retryAfterSeconds: wait };
  const counted = new Map(keys.map((key) => [key, count(model, key)]));
  yield;
  if (account === undefined || account.disabled || account.password !== password) return { is: 'refused' };
  if (account.weak) {
    const stored = findById(model, account.id);
    if (stored?.password !== password) return { is: 'refused' };
    if (stored.weak) Object.assign(stored, { weak: false, hashVersion: stored.hashVersion + 1 });
    Object.assign(account, { stamp: stored.stamp });
  }
  const isEnough = !hasFactor(model, account.id);
  yield;
  takeBack(model, counted);
  if (isEnough) clear(model, [...keys, ...strangersKeys(account, username, client)]);
  return undefined;
}

/** @param given the credentials from the server, if there are any */
export function startSession(
  model: Model,
  { id: userId, stamp, ...user }: ModelUser,
  given: Credentials = { cookie: '(none was given)', accessToken: undefined },
  { remembered = false, byFactor = false }: Partial<Pick<ModelSession, 'remembered' | 'byFactor'>> = {},
): Admitted {
  const times = { startedAt: model.now, lastSeenAt: model.now, authenticatedAt: model.now };
  const session = { ...given, userId, stamp, remembered, byFactor, ...times };
  model.sessions.push(session);
  return {
    userId,
    fingerprint: fingerprintOf(user),
    expiresInSeconds: Math.floor((lifetimeEndOf(session) - model.now) / 1000),
  };
}

export function* logOut(model: Model, presented: Presented, { pending }: ModelClient): Action {
  for (const login of model.pendingLogins) if (login.secret === pending) login.isOver = true;
  const sessions = usePresented(model, presented);
  yield;
  return { is: endSessions(model, sessions) ? 'logged-out' : 'no-session' };
}

export function askWho(model: Model, presented: Presented): Outcome {
  const signedIn = findSignedIn(model, presented);
  return signedIn === undefined ? { is: 'signed-out' } : { is: 'signed-in', user: signedIn.user };
}

// What users manage themselves

/** A client that asks for a change of the account that it is signed in to. */
export interface OwnChange {
  client: ModelClient;
  presented: Presented;
  /** The password that is sent along as a proof, if any. */
  current: string | undefined;
}

/** Proves by password who the owner is. Gives the refusal, if it is one. */
function* prove(model: Model, { user }: SignedIn, client: ModelClient, password: string) {
  const refusal = yield* attemptPassword(model, { ...user }, user.username, password, client);
  return refusal?.is === 'refused' ? ({ is: 'invalid' } as const) : refusal;
}

/** Proves a second factor, if the user has one. Gives the refusal, if it is one. */
function* proveFactor(model: Model, { user }: SignedIn, client: ModelClient, code: SentCode | undefined) {
  if (!hasFactor(model, user.id)) return undefined;
  if (code === undefined) return { is: 'invalid' } as const;
  const refusal = yield* attemptCode(model, user.id, client, code);
  return refusal?.is === 'invalid-factor' ? ({ is: 'invalid' } as const) : refusal;
}

/** Finds who is signed in, and requires a proof that is fresh, or sent along. */
export function* requireFresh(
  model: Model,
  { client, presented, current }: OwnChange,
): Generator<undefined, Outcome | { is: 'fresh'; signedIn: SignedIn }, undefined> {
  const signedIn = findSignedIn(model, presented);
  yield;
  if (signedIn === undefined) return { is: 'signed-out' };
  const refusal = current === undefined ? undefined : yield* prove(model, signedIn, client, current);
  if (refusal !== undefined) return refusal;
  const { user, session } = signedIn;
  const isRecent = model.now - session.authenticatedAt <= freshFor;
  const isProved = hasFactor(model, user.id) ? isRecent && session.byFactor : isRecent || current !== undefined;
  return isProved ? { is: 'fresh', signedIn } : { is: 'stale' };
}

/** @param proof what the owner has just proved, if anything */
export function renew(
  model: Model,
  { user, session }: SignedIn,
  given: Credentials | undefined,
  proof?: Pick<ModelSession, 'byFactor'>,
) {
  const { id: userId, stamp } = user;
  Object.assign(session, { cookie: '(none was given)', accessToken: undefined }, given, { stamp });
  Object.assign(session, { lastSeenAt: model.now }, proof && { ...proof, authenticatedAt: model.now });
  const expiresInSeconds = Math.floor((lifetimeEndOf(session) - model.now) / 1000);
  return { is: 'renewed', userId, fingerprint: fingerprintOf(user), expiresInSeconds } as const;
}

/** @param given the new credentials from the server */
export function* confirm(
  model: Model,
  change: OwnChange & { current: string; code: SentCode | undefined },
  given: Credentials | undefined,
): Action {
  const signedIn = findSignedIn(model, change.presented);
  yield;
  if (signedIn === undefined) return { is: 'signed-out' };
  const { client, current, code } = change;
  const refusal =
    (yield* prove(model, signedIn, client, current)) ?? (yield* proveFactor(model, signedIn, client, code));
  return refusal ?? renew(model, signedIn, given, { byFactor: hasFactor(model, signedIn.user.id) });
}

/** @param password undefined for one that breaks a rule @param given the new credentials from the server */
export function* changePassword(
  model: Model,
  change: OwnChange,
  password: string | undefined,
  given: Credentials | undefined,
): Action {
  const proof = yield* requireFresh(model, change);
  if (proof.is !== 'fresh') return proof;
  if (password === undefined) return { is: 'invalid' };
  const { user, session } = proof.signedIn;
  yield;
  giveNewPassword(model, user, password);
  endSessions(
    model,
    model.sessions.filter(({ userId, cookie }) => userId === user.id && cookie !== session.cookie),
  );
  liftFailures(model, user);
  return renew(model, proof.signedIn, given);
}

export function* deleteAccount(model: Model, change: OwnChange): Action {
  const proof = yield* requireFresh(model, change);
  if (proof.is !== 'fresh') return proof;
  const { user } = proof.signedIn;
  removeUser(model, user);
  voidLinks(model, user.id);
  yield;
  endSessionsOf(model, user.id);
  liftFailures(model, user, true);
  return { is: 'done' };
}

/** @param id the public half of a cookie */
export function* endSession(model: Model, change: OwnChange, id: string): Action {
  const proof = yield* requireFresh(model, change);
  if (proof.is !== 'fresh') return proof;
  const { signedIn } = proof;
  const own = model.sessions.find(
    (session) => session.userId === signedIn.user.id && isAlive(model, session) && publicHalf(session.cookie) === id,
  );
  if (own === undefined) return { is: 'no-such-session' };
  endSessions(model, [own]);
  yield;
  voidAddressLinks(model, signedIn.user.id);
  return { is: own === signedIn.session ? 'ended-own' : 'done' };
}

/** @param given the new credentials from the server */
export function* endOtherSessions(model: Model, change: OwnChange, given: Credentials | undefined): Action {
  const proof = yield* requireFresh(model, change);
  if (proof.is !== 'fresh') return proof;
  const { signedIn } = proof;
  const { user, session } = signedIn;
  Object.assign(user, { stamp: user.stamp + 1 });
  voidLinks(model, user.id);
  endTrustOf(model, user.id);
  endSessions(
    model,
    model.sessions.filter(({ userId, cookie }) => userId === user.id && cookie !== session.cookie),
  );
  return renew(model, signedIn, given);
}

export const endTrustOf = (model: Model, userId: string) => {
  model.trustedBrowsers = model.trustedBrowsers.filter((browser) => browser.userId !== userId);
};

export const publicHalf = (cookie: string) => cookie.split('.', 1)[0] ?? '';

// Links in mails

/** Whether there were so many requests that the server may send no mail. Its own tests know the limits. */
function mayBeTooMany({ asked, now }: Model, mail: Omit<AskedMail, 'at'>): boolean {
  const lately = asked.some(
    ({ purpose, address, at }) => purpose === mail.purpose && address === mail.address && now - at < 60 * minute,
  );
  // A change of address sends two.
  return lately || asked.filter(({ client }) => client === mail.client).length >= 10;
}

/**
 * Mails a link, unless there were too many.
 * @param wanted whether this address gets a link
 * @param token of the link that the server mailed, if it did
 */
function mailLink(
  model: Model,
  mail: Omit<AskedMail, 'at'>,
  { wanted, userId }: { wanted: boolean; userId?: string | undefined },
  token: string | undefined,
): Outcome {
  const mayFail = mayBeTooMany(model, mail);
  model.asked.push({ ...mail, at: model.now });
  const linked = wanted && !(mayFail && token === undefined);
  const { purpose, address } = mail;
  if (linked && token !== undefined) {
    const link = { token, purpose, userId, address, expiresAt: model.now + linkLifetimes[purpose] };
    model.mailed.push(link);
    model.links.push(link);
  }
  return { is: 'asked', linked };
}

export function* askForReset(model: Model, client: ModelClient, address: string, token: string | undefined): Action {
  const user = findByName(model, address);
  const wanted = user !== undefined && !user.disabled;
  yield;
  return mailLink(
    model,
    { purpose: 'reset-password', address, client: client.address },
    { wanted, userId: user?.id },
    token,
  );
}

/** A known address gets a mail without a link that signs up. */
export function* askToSignUp(model: Model, client: ModelClient, address: string, token: string | undefined): Action {
  const wanted = findByName(model, address) === undefined;
  yield;
  return mailLink(model, { purpose: 'sign-up', address, client: client.address }, { wanted }, token);
}

export function* askForAddress(model: Model, change: OwnChange, address: string, token: string | undefined): Action {
  const proof = yield* requireFresh(model, change);
  if (proof.is !== 'fresh') return proof;
  const { id: userId } = proof.signedIn.user;
  const mail = { purpose: 'confirm-email', address, client: change.client.address } as const;
  return mailLink(model, mail, { wanted: true, userId }, token);
}

/** The account is undefined for a sign-up. */
function openLink(model: Model, purpose: LinkPurpose, token: string) {
  const link = model.links.find((each) => each.token === token && each.purpose === purpose);
  if (link === undefined || link.expiresAt <= model.now) return undefined;
  const owner = findByName(model, link.address);
  if (owner !== undefined && owner.id !== link.userId) return undefined;
  const user = link.userId === undefined ? undefined : findById(model, link.userId);
  if (link.userId !== undefined && (user === undefined || user.disabled)) return undefined;
  return { link, user };
}

/** @param password undefined for one that breaks a rule */
export function* resetPassword(model: Model, token: string, password: string | undefined): Action {
  const user = openLink(model, 'reset-password', token)?.user;
  yield;
  if (user === undefined) return { is: 'link-refused' };
  if (password === undefined) return { is: 'invalid' };
  yield;
  const current = findById(model, user.id);
  if (!model.links.some((link) => link.token === token) || current === undefined) return { is: 'link-refused' };
  giveNewPassword(model, current, password);
  yield;
  endSessionsOf(model, user.id);
  liftFailures(model, user);
  return { is: 'done', looksOver: model.factors.get(user.id)?.app !== undefined };
}

/** @param presented nothing by a program, which is not led further */
export function* confirmAddress(model: Model, token: string, presented: Presented): Action {
  const signedIn = findSignedIn(model, presented);
  yield;
  const { link, user } = openLink(model, 'confirm-email', token) ?? {};
  yield;
  if (link === undefined || user === undefined) return { is: 'link-refused' };
  const isTaken = model.users.some((other) => other.id !== user.id && other.username === link.address);
  if (isTaken || !model.links.some((each) => each.token === token)) return { is: 'link-refused' };
  user.username = link.address;
  voidLinks(model, user.id);
  return { is: 'confirmed', byOwner: signedIn?.user.id === user.id };
}

/** @param user without its id, undefined for a password that breaks a rule @param id the id from the server */
export function* signUp(
  model: Model,
  {
    token,
    user,
    presented,
  }: { token: string; user: Omit<ModelUser, 'id' | 'username'> | undefined; presented: Presented },
  id: string | undefined,
  given: Credentials | undefined,
): Action {
  const link = openLink(model, 'sign-up', token)?.link;
  yield;
  if (link === undefined) return { is: 'link-refused' };
  if (user === undefined) return { is: 'invalid' };
  yield;
  const isOpen = model.links.some((each) => each.token === token);
  if (!isOpen || findByName(model, link.address) !== undefined) return { is: 'link-refused' };
  model.links = model.links.filter((each) => each.token !== token);
  const made = { ...user, username: link.address, id: id ?? '(none was given)' };
  model.users.push(made);
  yield;
  endSessions(model, usePresented(model, presented));
  return { is: 'signed-up', ...startSession(model, made, given) };
}

/** Voids the links of the account too. */
function giveNewPassword(model: Model, user: ModelUser, password: string): void {
  const { hashVersion, stamp } = user;
  Object.assign(user, { password, weak: false, hashVersion: hashVersion + 1, stamp: stamp + 1 });
  voidLinks(model, user.id);
}

function removeUser(model: Model, user: ModelUser): void {
  model.users = model.users.filter((other) => other !== user);
  model.factors.delete(user.id);
}

export function voidLinks(model: Model, userId: string): void {
  model.links = model.links.filter((link) => link.userId !== userId);
}

/** The thief of a session may have asked for them. */
function voidAddressLinks(model: Model, userId: string): void {
  model.links = model.links.filter((link) => link.userId !== userId || link.purpose !== 'confirm-email');
}

// Actions of an administrator: find the user, change the user, end the user's sessions

export const disable = (model: Model, username: string): Action =>
  change(model, username, (user) => {
    Object.assign(user, { disabled: true, stamp: user.stamp + 1 });
  });

export function* enable(model: Model, username: string): Action {
  const found = findByName(model, username);
  if (found === undefined) return { is: 'refused' };
  yield;
  const user = findById(model, found.id);
  if (user !== undefined) user.disabled = false;
  return { is: 'done' };
}

export const remove = (model: Model, username: string): Action =>
  changeAndLift(model, username, (removed) => removeUser(model, removed), true);

export function* endAllOf(model: Model, username: string): Action {
  const found = findByName(model, username);
  if (found === undefined) return { is: 'refused' };
  yield;
  const user = findById(model, found.id);
  if (user !== undefined) user.stamp += 1;
  voidLinks(model, found.id);
  endTrustOf(model, found.id);
  yield;
  endSessionsOf(model, found.id);
  return { is: 'done' };
}

export const setPassword = (model: Model, username: string, password: string): Action =>
  changeAndLift(model, username, (user) => giveNewPassword(model, user, password));

/** A change that clears all failures of the account. */
function* changeAndLift(model: Model, username: string, apply: (user: ModelUser) => void, codes = false): Action {
  const { id = '' } = findByName(model, username) ?? {};
  const outcome = yield* change(model, username, apply);
  yield;
  if (outcome.is === 'done') liftFailures(model, { id, username }, codes);
  return outcome;
}

/** @param id the id from the server. An earlier user of the same name had another id */
export function* add(model: Model, user: Omit<ModelUser, 'id'>, id: string | undefined): Action {
  if (findByName(model, user.username) !== undefined) return { is: 'refused' };
  model.users.push({ ...user, id: id ?? '(none was given)' });
  yield;
  return { is: findByName(model, user.username) === undefined ? 'refused' : 'done' };
}

function* change(model: Model, username: string, apply: (user: ModelUser) => void): Action {
  const found = findByName(model, username);
  if (found === undefined) return { is: 'refused' };
  yield;
  // Another action may have removed the user.
  const user = findById(model, found.id);
  if (user !== undefined) apply(user);
  yield;
  voidLinks(model, found.id);
  endSessionsOf(model, found.id);
  return { is: 'done' };
}

export const findByName = (model: Model, username: string) => model.users.find((user) => user.username === username);
export const findById = (model: Model, userId: string) => model.users.find(({ id }) => id === userId);

export const endSessionsOf = (model: Model, userId: string) =>
  endSessions(
    model,
    model.sessions.filter((session) => session.userId === userId),
  );
