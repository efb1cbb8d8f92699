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
  failures: Map<string, Failures>;
}

export interface ModelUser {
  id: string;
  username: string;
  firstName: string;
  password: string;
  /** Changes whenever the password gets a new hash. */
  passwordVersion: number;
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
  passwordVersion: number;
  startedAt: number;
  lastSeenAt: number;
}

/** A browser, a program, or both. */
export interface ModelClient {
  address: string;
  cookie: string | undefined;
  accessToken: string | undefined;
  browserCookie: string | undefined;
  /** The accounts that know the browser, each with the password of its login, the latest first. */
  browserOf: readonly BrowserOwner[];
}

export interface BrowserOwner {
  userId: string;
  passwordVersion: number;
}

/** The most accounts that a browser remembers. Later ones replace the oldest. */
const browserOwners = 4;

export function rememberBrowser(client: ModelClient, browserCookie: string | undefined, owner: BrowserOwner): void {
  const others = client.browserOf.filter((other) => !isSameOwner(other, owner));
  Object.assign(client, { browserCookie, browserOf: [owner, ...others].slice(0, browserOwners) });
}

const isSameOwner = (one: BrowserOwner, other: BrowserOwner) =>
  one.userId === other.userId && one.passwordVersion === other.passwordVersion;

/** The failures of one key. */
export interface Failures {
  kind: 'account' | 'name' | 'pair' | 'address' | 'browser';
  userId?: string;
  passwordVersion?: number;
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
  | { is: 'logged-in'; again: boolean; userId: string; passwordVersion: number }
  | { is: 'refused' }
  | { is: 'throttled'; retryAfterSeconds: number }
  | { is: 'signed-in'; user: ModelUser }
  | { is: 'signed-out' }
  | { is: 'logged-out' }
  | { is: 'no-session' }
  | { is: 'done' };

/** An action in steps. Steps of other actions may come in between. */
export type Action = Generator<undefined, Outcome, undefined>;

/** Short enough for a sequence of commands to reach both ends. */
export const idleTimeoutSeconds = 60 * 60;
export const lifetimeSeconds = 3 * 60 * 60;

const minute = 60_000;

export const idleEndOf = ({ lastSeenAt }: ModelSession) => lastSeenAt + idleTimeoutSeconds * 1000;
export const lifetimeEndOf = ({ startedAt }: ModelSession) => startedAt + lifetimeSeconds * 1000;
export const isAlive = ({ now }: Model, session: ModelSession) =>
  now < Math.min(idleEndOf(session), lifetimeEndOf(session));

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

/** If there is an access token, it alone decides. */
function findUser(model: Model, { cookie, accessToken }: Presented): ModelUser | undefined {
  const session =
    accessToken === undefined ? useSession(model, 'cookie', cookie) : useSession(model, 'accessToken', accessToken);
  if (session === undefined) return undefined;
  const user = findById(model, session.userId);
  if (user !== undefined && !user.disabled && user.passwordVersion === session.passwordVersion) return user;
  endSessions(model, [session]);
  return undefined;
}

const usePresented = (model: Model, { cookie, accessToken }: Presented) =>
  [useSession(model, 'cookie', cookie), useSession(model, 'accessToken', accessToken)].filter(
    (session) => session !== undefined,
  );

/** Tells whether any of the sessions was still there. */
function endSessions(model: Model, ended: readonly ModelSession[]): boolean {
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
}

/** @param given the credentials from the server, if the login passed */
export function* logIn(model: Model, attempt: LoginAttempt, given: Credentials | undefined): Action {
  const { client, username, password, presented } = attempt;
  const found = findByName(model, username);
  const account = found && { ...found };
  yield;
  const keys = keysOf(account, username, client);
  const wait = Math.max(...keys.map((key) => waitOf(model, key)));
  if (wait > 0) return { is: 'throttled', retryAfterSeconds: wait };
  const counted = new Map(keys.map((key) => [key, count(model, key)]));
  yield;
  if (account === undefined || account.disabled || account.password !== password) return { is: 'refused' };
  if (account.weak) {
    const stored = findById(model, account.id);
    if (stored?.password !== password) return { is: 'refused' };
    if (stored.weak) Object.assign(stored, { weak: false, passwordVersion: stored.passwordVersion + 1 });
  }
  yield;
  forgetAfterSuccess(model, counted, strangersKeys(account, username, client));
  yield;
  const again = findUser(model, presented) !== undefined;
  const replaced = usePresented(model, presented);
  yield;
  // Even when the account changes at this moment. Otherwise both sessions, or an old one that has to end, would be alive for a moment.
  endSessions(model, replaced);
  const current = findById(model, account.id);
  if (current === undefined || current.disabled || current.password !== password) return { is: 'refused' };
  const { id: userId, passwordVersion } = current;
  const credentials = given ?? { cookie: '(none was given)', accessToken: undefined };
  model.sessions.push({ ...credentials, userId, passwordVersion, startedAt: model.now, lastSeenAt: model.now });
  return { is: 'logged-in', again, userId, passwordVersion };
}

export function* logOut(model: Model, presented: Presented): Action {
  const sessions = usePresented(model, presented);
  yield;
  return { is: endSessions(model, sessions) ? 'logged-out' : 'no-session' };
}

export function askWho(model: Model, presented: Presented): Outcome {
  const user = findUser(model, presented);
  return user === undefined ? { is: 'signed-out' } : { is: 'signed-in', user };
}

// Actions of an administrator: find the user, change the user, end the user's sessions

export const disable = (model: Model, username: string): Action =>
  change(model, username, (user) => {
    user.disabled = true;
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
  changeAndLift(model, username, (removed) => {
    model.users = model.users.filter((user) => user !== removed);
  });

export const endAllOf = (model: Model, username: string): Action => change(model, username, () => {});

export const setPassword = (model: Model, username: string, password: string): Action =>
  changeAndLift(model, username, (user) => {
    Object.assign(user, { password, weak: false, passwordVersion: user.passwordVersion + 1 });
  });

/** A change that clears all failures of the account. */
function* changeAndLift(model: Model, username: string, apply: (user: ModelUser) => void): Action {
  const { id } = findByName(model, username) ?? {};
  const outcome = yield* change(model, username, apply);
  yield;
  if (outcome.is === 'done')
    for (const [key, { userId, username: counted }] of model.failures)
      if (userId === id || counted === username) model.failures.delete(key);
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
  endSessionsOf(model, found.id);
  return { is: 'done' };
}

const findByName = (model: Model, username: string) => model.users.find((user) => user.username === username);
const findById = (model: Model, userId: string) => model.users.find(({ id }) => id === userId);

const endSessionsOf = (model: Model, userId: string) =>
  endSessions(
    model,
    model.sessions.filter((session) => session.userId === userId),
  );

// The throttle

/** The number of failures without a wait. The stop after a hundred is left out, because no sequence reaches it. */
const free = { account: 10, name: 10, browser: 10, pair: 8, address: 20 };

const firstWaitSeconds = 10;
const longestWaitSeconds = 15 * 60;

/** The time after which an address is forgiven one failure, in milliseconds. */
const forgivenIn = 3 * minute;

type Key = Omit<Failures, 'count' | 'lastAt'> & { id?: string | undefined };

/** A browser has its own key if the account has signed in with it before, with the current password. */
function keysOf(account: ModelUser | undefined, username: string, client: ModelClient): Key[] {
  const { id: userId, passwordVersion } = account ?? {};
  if (userId === undefined || passwordVersion === undefined) return strangersKeys(account, username, client);
  if (!client.browserOf.some((owner) => isSameOwner(owner, { userId, passwordVersion })))
    return strangersKeys(account, username, client);
  return [{ kind: 'browser', userId, passwordVersion, id: client.browserCookie?.split('.')[0] }];
}

function strangersKeys(account: ModelUser | undefined, username: string, { address }: ModelClient): Key[] {
  const keys: Key[] = [
    { kind: 'name', username },
    { kind: 'address', address },
    { kind: 'pair', username, address },
  ];
  if (account === undefined) return keys;
  return [{ kind: 'account', userId: account.id, passwordVersion: account.passwordVersion }, ...keys];
}

function waitOf(model: Model, key: Key): number {
  const failures = model.failures.get(nameOf(key));
  if (failures === undefined || failures.count < free[key.kind]) return 0;
  const wait = Math.min(longestWaitSeconds, firstWaitSeconds * 2 ** (failures.count - free[key.kind]));
  return Math.max(0, Math.ceil(wait - (model.now - failures.lastAt) / 1000));
}

interface Counted {
  before: Failures | undefined;
  after: Failures;
}

/** Counts an attempt as failed until it succeeds. */
function count(model: Model, key: Key): Counted {
  const { id: _, ...whose } = key;
  const before = model.failures.get(nameOf(key));
  const after = { ...whose, count: (before?.count ?? 0) + 1, lastAt: model.now };
  if (before !== undefined && key.kind === 'address') {
    const forgiven = Math.floor((model.now - before.lastAt) / forgivenIn);
    after.count = Math.max(0, before.count - forgiven) + 1;
    // The rest of the time is kept as long as the address does not have to wait.
    if (after.count > 1 && after.count < free.address) after.lastAt = before.lastAt + forgiven * forgivenIn;
  }
  model.failures.set(nameOf(key), after);
  return { before, after: { ...after } };
}

/** A success clears all keys, even those of strangers. An address only gets back this attempt. */
function forgetAfterSuccess(model: Model, counted: Map<Key, Counted>, strangers: Key[]): void {
  for (const key of [...counted.keys(), ...strangers]) if (key.kind !== 'address') model.failures.delete(nameOf(key));
  for (const [key, { before, after }] of counted) {
    const current = model.failures.get(nameOf(key));
    if (key.kind !== 'address' || current === undefined) continue;
    const isLatest = current.count === after.count && current.lastAt === after.lastAt;
    const left = isLatest ? before : { ...current, count: current.count - 1 };
    if (left === undefined || left.count === 0) model.failures.delete(nameOf(key));
    else model.failures.set(nameOf(key), left);
  }
}

const nameOf = ({ kind, userId, passwordVersion, username, address, id }: Key) =>
  [kind, userId, passwordVersion, username, address, id].join('|');
