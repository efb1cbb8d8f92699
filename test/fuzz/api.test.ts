/**
 * Sends hostile values in every place of every route of the OpenAPI document, then generated requests, over real connections.
 * A new route is included as soon as it is in the document.
 *
 * Every value reaches every field and parameter at an address under /api/, or at a page that has none. A page whose handler is
 * that of such an address gets a sample. A long run sends every value to both.
 *
 * Every run sends the same requests. `FUZZ_SEED` (a whole number) selects others, and `FUZZ_SECONDS` generates for longer:
 * `FUZZ_SEED=7 FUZZ_SECONDS=600 node bin/node.mjs --test test/fuzz/api.test.ts`. A failure names the seed that repeats it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc, { type Arbitrary } from 'fast-check';
import { demoHash, demoUsers } from '../../src/commands/demo-users.ts';
import type { StartedSession } from '../../src/core/sessions/sessions.ts';
import { stampOf } from '../../src/core/users/account.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { admins } from '../../src/core/users/scopes.ts';
import { wiki } from '../capabilities/oidc/application.ts';
import { ann, startJanua } from '../janua.ts';
import { isLong } from '../long.ts';
import { type Attempt, anyAttempt, anyElsewhere, everyAttempt } from './attempt.ts';
import { createContract } from './contract.ts';
import { type CredentialKind, createCredentials, effectOf } from './credentials.ts';
import { needsCredentials, type Operation, readDocument } from './document.ts';
import { createLinks } from './links.ts';
import { isHttp, type Request, written } from './request.ts';
import { exchange, parseAnswers } from './wire.ts';

const seed = Number(process.env.FUZZ_SEED ?? 20_261_124);
const seconds = Number(process.env.FUZZ_SECONDS ?? (isLong ? 60 : 0));

/** Requests under way at the same time: enough to keep the hashing busy. */
const width = 4;

/** The largest growth of the heap until the end, in bytes. */
const growth = 64 * 1024 * 1024;

/** Statuses that a request alone cannot cause, because they need a fault, a signed address, or a second factor. */
const notByRequest = ['429', '500', '503'];
const notByRequestOf: Readonly<Record<string, readonly string[]>> = {
  'GET /auth/forward': ['200'],
  // No rule demands a group, and a proxy says which page a browser asks for.
  'GET /auth/verify': ['303', '403'],
  'GET /auth/refused': ['303', '403'],
  // Only a request that the provider knows leads to a login.
  'GET /oidc/auth': ['401'],
  'GET /oidc/auth/f3LrL0q2…': ['401'],
  'GET /oidc/interaction/f3LrL0q2…': ['401'],
  'POST /oidc/interaction/f3LrL0q2…': ['401'],
  // A file wants a format first.
  'GET /admin/audit/export': ['422'],
  // The users here have just logged in.
  ...both('GET', '/account/export', '/api/account/export', ['403']),
  ...both('GET', '/account/security/totp', '/api/account/security/totp', ['403']),
  ...both('GET', '/account/delete', '/api/account/delete', ['409']),
  ...both('POST', '/account/delete', '/api/account/delete', ['409']),
  // There are several administrators.
  ...ofEmail('GET'),
  ...ofEmail('POST'),
  // The ids of a token, of an import and of a link for many come with their making.
  ...both('POST', '/account/tokens/end', '/api/account/tokens/end', ['200']),
  'POST /api/admin/users/imports/undo': ['200'],
  'POST /api/admin/users/invite-links/revoke': ['200'],
  // What the examples name is there once.
  'POST /api/admin/users': ['201'],
  'POST /api/admin/groups/remove': ['200'],
  // The users here have no second factor.
  ...both('POST', '/admin/groups/second-factor', '/api/admin/groups/second-factor', ['200', '303', '413', '415']),
  ...both('POST', '/auth/passkey', '/api/passkey', ['200']),
  ...both('GET', '/auth/second-factor', '/api/second-factor', ['200']),
  ...both('POST', '/auth/second-factor', '/api/second-factor', ['200', '422']),
  ...both('POST', '/auth/second-factor/options', '/api/second-factor/options', ['200']),
  // Secrets that are shown once come with the answer, without a redirect.
  ...both('POST', '/auth/enrol-factor', '/api/enrol-factor', ['200', '303']),
  ...both('POST', '/auth/enrol-factor/begin', '/api/enrol-factor/begin', ['303']),
  ...ofSecurity('totp', ['200']),
  ...ofSecurity('totp/remove', ['200', '409']),
  ...ofSecurity('recovery-codes', ['200', '422']),
  ...ofSecurity('passkeys', ['200']),
  ...ofSecurity('passkeys/rename', ['200']),
  ...ofSecurity('passkeys/remove', ['200', '409']),
};

function both(method: string, page: string, api: string, statuses: readonly string[]) {
  return { [`${method} ${page}`]: statuses, [`${method} ${api}`]: statuses };
}

function ofEmail(method: string) {
  return {
    ...both(method, '/account/email', '/api/account/email', ['409']),
    ...both(method, '/auth/confirm-email', '/api/confirm-email', ['409']),
    ...both(method, '/account/confirm-email', '/api/account/confirm-email', ['409']),
  };
}

function ofSecurity(path: string, statuses: readonly string[]) {
  return both('POST', `/account/security/${path}`, `/api/account/security/${path}`, statuses);
}

/** Only a client that is signed in may see it. */
const lastName = 'Fuzzlastname';

// Here and not in `before`, because the document defines the tests. Without limits that would end a run, and with cheap logins.
const janua = await startJanua({ settings: { SIGN_UP: 'on', THROTTLE: 'off', PASSWORD_REHASH: 'off' } });
// Without a client there is no provider.
let client = (await janua.services.clientAdministration.addClient(wiki)).client.id;
const { document, operations: all } = await readDocument(janua.app);
/** The changes of a user are made in one loop: two of them stand for all. */
const operations = all.filter(({ path }) => !/\/users\/\{id\}\/(?!disable|groups)/.test(path));
const actions = Map.groupBy(operations, ({ method, summary }) => `${method} ${summary}`);
/** One of each action: the page has the same handler. */
const whole = [...actions.values()].flatMap((twins) => twins.find(({ path }) => path.startsWith('/api/')) ?? twins);
const contract = createContract();
const collectGarbage = exposeGarbageCollector();

const inherited = Object.getOwnPropertyNames(Object.prototype);

let port: number;
let bystander: Record<string, string>[];
let send: (attempt: Attempt, operation?: Operation) => Promise<void>;
let heapBefore: number;

before(async () => {
  await janua.app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = janua.app.addresses();
  port = typeof address === 'object' ? address.port : 0;

  const signedIn = await janua.logIn();
  bystander = [signedIn.cookie, signedIn.bearer];
  // The examples of the document are these users.
  for (const user of demoUsers) await janua.services.registry?.add({ ...user, passwordHash: demoHash, demo: false });
  const { session: dead } = await signIn();
  await janua.services.sessions.end([dead]);
  const credentials = createCredentials(document.components, dead);
  const links = createLinks(janua, async () => {
    const { username, session } = await signIn();
    return { username, authorization: `Bearer ${session.accessToken}` };
  });

  send = async ({ request: bare, credential, odd }, operation) => {
    if (isCutOff(bare)) return;
    const filled = operation === undefined ? bare : await links.fill(bare, operation);
    const taken: Person[] = [];
    const presented = await credentials.present(credential, odd, async () => {
      const person = unchanged.pop() ?? (await signIn());
      taken.push(person);
      return person.session;
    });
    const request = await withOwn({ ...filled, headers: [...presented, ...filled.headers] });
    try {
      const answers = parseAnswers(await exchange(port, written(request)), request.method === 'HEAD');
      contract.check(request, answers, operation);
      if (effectOf(credential) === 'nothing') assert.ok(!answers.some(({ body }) => body.includes(lastName)));
      const status = answers[0]?.status ?? 0;
      if (operation !== undefined) checkAccess(operation, request, credential, status);
      if (request.method === 'GET' || status >= 400) unchanged.push(...taken);
    } catch (error) {
      throw new Error(`${credential}: ${JSON.stringify(written(request)).slice(0, 3000)}`, { cause: error });
    }
  };
  heapBefore = heapUsed();
});
after(() => janua[Symbol.asyncDispose]());

let people = 0;

const exampleUser = '9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c';

interface Person {
  readonly id: string;
  readonly username: string;
  readonly session: StartedSession;
}

/** Signed-in users whom no request has changed so far. */
const unchanged: Person[] = [];

/** Signs in a new user, whose password is the one in the examples of the document. */
async function signIn(): Promise<Person> {
  const { users, registry, sessions, groups, hold } = janua.services;
  const username = `user-${people++}@example.com`;
  const user = { username, firstName: 'Fuzz', lastName, passwordHash: demoHash, demo: false };
  const account = await users.findById((await registry?.add(user)) ?? '');
  assert.ok(account);
  // Every route lets administrators in.
  await hold(provedBy(account), (held) => groups.setGroupsOf(held, () => [admins]), { groups: true });
  const { id } = account.user;
  return {
    id,
    username,
    session: await sessions.start({ userId: id, stamp: stampOf(account) }, { methods: ['pwd'] }),
  };
}

const exampleId = 'm9wTrqmiCb1pEU9oSIvH5g';

/** A client that there is: an earlier request may have removed the last one. */
async function findClient(): Promise<string> {
  const { clients, clientAdministration } = janua.services;
  if ((await clients.find(client)) === undefined) client = (await clientAdministration.addClient(wiki)).client.id;
  return client;
}

/** Puts the id of the presented session, of a user and of a client in the place of the document's examples. */
async function withOwn(request: Request): Promise<Request> {
  let asked = request.target;
  if (asked.includes(exampleUser)) asked = asked.replace(exampleUser, (unchanged.pop() ?? (await signIn())).id);
  const target = asked.includes(exampleId) ? asked.replace(exampleId, await findClient()) : asked;
  const [, id = 'none'] = /(?:session=|janua_)([\w-]{22})\./.exec(JSON.stringify(request.headers)) ?? [];
  return { ...request, target, body: request.body?.replace(exampleId, id) };
}

/** The server closes the connection without reading a body that it does not want. A long answer is then cut off. */
const isCutOff = ({ target, body = '' }: Request) => /openapi\.json|demo\/mail/.test(target) && body.length > 64 * 1024;

/** The link is of another user than the credential. */
const takesOwnLink = (path: string) => path.endsWith('/account/confirm-email');

/** Expects that exactly the requests with a good credential are let in. A request that ends sessions ends all presented ones. */
function checkAccess(operation: Operation, request: Request, kind: CredentialKind, status: number): void {
  if (!needsCredentials(operation)) return;
  const { method, path, parameters = [] } = operation;
  const effect = effectOf(kind);
  if (effect === 'nothing' || (effect === 'holds' && method === 'GET')) assert.ok(status >= 300, `${kind} is refused`);
  // Few of these requests have the required parameters, or filters that a list of administrators can read.
  const isWanting = /\/admin|\/oidc\/|\/applications$/.test(path) || parameters.some(({ required }) => required);
  // No application waits for a decision, and no device. Another request may just have removed the client or the resource.
  const isGone =
    (status === 404 && /\/oidc\/device|\/(?:clients|resources)\//.test(path)) || (status === 410 && takesOwnLink(path));
  const wanting = ([400, 422].includes(status) && isWanting) || isGone;
  if (effect === 'signs in' && method === 'GET' && isHttp(request) && !wanting)
    assert.equal(status, 200, `${kind} is accepted`);
}

/** Sends all attempts, a few at a time. */
async function sendAll(attempts: Iterator<Attempt>, operation: Operation): Promise<number> {
  let sent = 0;
  async function work(): Promise<void> {
    for (let next = attempts.next(); !next.done; next = attempts.next()) {
      await send(next.value, operation);
      sent++;
    }
  }
  await Promise.all(Array.from({ length: width }, work));
  return sent;
}

/** Sends a few attempts, then more until the time is over. The same seed gives the same requests. */
async function sendAny(kind: Arbitrary<Attempt>, operation: Operation | undefined, share: number): Promise<number> {
  let sent = 0;
  const attempts = fc.array(kind, { minLength: width, maxLength: width });
  const property = fc.asyncProperty(attempts, async (some) => {
    await Promise.all(some.map((attempt) => send(attempt, operation)));
    sent += some.length;
  });
  await fc.assert(property, { seed, numRuns: isLong ? 5 : 1 });
  if (share === 0) return sent;
  await fc.assert(property, {
    seed: seed + 1,
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: share * 1000,
    // A busy machine may not send even one in time. That is no failure.
    reporter(details) {
      if (details.counterexample !== null)
        throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
    },
  });
  return sent;
}

function exposeGarbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const title = ({ method, path }: Operation) => `${method} ${path}`;

describe('the server survives every hostile value in every place of the document', () => {
  for (const [place, operation] of operations.entries()) {
    test(`${title(operation)}`, async (t) => {
      const share = { sharers: isLong ? [operation] : whole, parts: isLong ? 4 : 48, part: place + seed };
      const sent = await sendAll(everyAttempt(operation, share), operation);
      t.diagnostic(`${sent} requests`);
      assert.ok(sent > 10);
      const exempt = [...notByRequest, ...(notByRequestOf[title(operation)] ?? [])];
      // A sample need not hold what succeeds or has a faulty field. The twin has the same statuses.
      if (!share.sharers.includes(operation)) exempt.push('200', '201', '422');
      // All users here are administrators. See test/security/authorization.test.ts for others.
      if (/\/admin\b/.test(operation.path)) exempt.push('403');
      // What these need has tests of its own: a sign-in that waits, or a certain client.
      if (/\/oidc\/|\/\.well-known\/|\/(?:clients|resources|applications)\b/.test(operation.path))
        exempt.push('200', '201', '303', '403', '404', '409', '422');
      // No value here is longer than an address may be: test/capabilities/oidc/bounded-request.test.ts.
      if (/\/oidc\/|\/\.well-known\//.test(operation.path)) exempt.push('414');
      // A link and a new address count once, and for one user: test/capabilities/admin/users.test.ts.
      if (takesOwnLink(operation.path) || /\/(?:offer|set)-email$/.test(operation.path)) exempt.push('200', '303');
      // There are administrators: test/capabilities/account/first-administrator.test.ts.
      if (operation.path.endsWith('/first-administrator')) exempt.push('200', '201', '303', '422');
      // No account here has as many as it may: test/core/users/row-limits.test.ts.
      if (/\/account\/(?:tokens|security\/passkeys(?:\/options)?)$/.test(operation.path)) exempt.push('409');
      // Their users exist, and can be changed.
      if (/\/admin\/(?:users|groups)\b/.test(operation.path)) exempt.push('404', '409', '422');
      const unseen = contract.unseen(operation).filter((status) => !exempt.includes(status));
      assert.deepEqual(unseen, [], 'every documented status occurs');
    });
  }
});

describe(`the server survives generated requests, FUZZ_SEED=${seed} FUZZ_SECONDS=${seconds}`, () => {
  // Operations with a body need more tries, and each takes longer.
  const weightOf = ({ requestBody }: Operation) => (requestBody === undefined ? 1 : 4);
  const total = operations.reduce((sum, operation) => sum + weightOf(operation), 2);
  for (const operation of operations) {
    test(`${title(operation)}`, { timeout: (seconds + 60) * 1000 }, async (t) => {
      const share = (seconds * weightOf(operation)) / total;
      t.diagnostic(`${await sendAny(anyAttempt(operation), operation, share)} requests`);
    });
  }
  test('odd methods and targets', { timeout: (seconds + 60) * 1000 }, async (t) => {
    const paths = operations.map(({ path }) => path);
    t.diagnostic(`${await sendAny(anyElsewhere(paths), undefined, (seconds * 2) / total)} requests`);
  });
});

test('after the fuzzing, an earlier session is alive, the server answers, and its memory has not grown', async () => {
  for (const headers of bystander) {
    const answer = await janua.get('/api/me', headers);
    assert.equal(answer.json().username, ann.username);
  }
  for (const path of ['/health/live', '/health/ready']) {
    const bytes = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const [answer] = parseAnswers(await exchange(port, bytes));
    assert.equal(answer?.status, 200, path);
  }
  await janua.logIn();
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), inherited, 'Object.prototype is unchanged');
  const grown = heapUsed() - heapBefore;
  assert.ok(grown < growth, `the heap grew by ${Math.round(grown / 1024 / 1024)} MiB`);
});
