import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { HashingThreads } from '../../src/core/passwords/hashing/threads.ts';
import { Unavailable } from '../../src/ground/faults/unavailable.ts';
import { hashingThreads } from '../cheap-hashes/threads.ts';
import { ann, password, startJanua } from '../janua.ts';

const mallory = { username: 'mallory@example.com', firstName: 'M', lastName: 'M' };

/** Hashing threads that compute nothing while they are stopped. */
function createStoppableThreads() {
  let gate = Promise.withResolvers<void>();
  gate.resolve();
  let taskCount = 0;
  const computed: string[] = [];
  const threads = {
    async compute(name, input) {
      taskCount += 1;
      await gate.promise;
      computed.push(name);
      return hashingThreads.compute(name, input).finally(() => {
        taskCount -= 1;
      });
    },
    get taskCount() {
      return taskCount;
    },
  } satisfies HashingThreads;
  return {
    threads,
    stop() {
      computed.length = 0;
      gate = Promise.withResolvers();
    },
    go: () => gate.resolve(),
    /** Hashes of new passwords since the last stop. */
    newHashes: () => computed.filter((name) => name === 'hash').length,
  };
}

async function start(HASHING_QUEUE: number) {
  const { threads, ...gate } = createStoppableThreads();
  const janua = await startJanua({
    settings: { THROTTLE: 'on', SIGN_UP: 'on', HASHING_CONCURRENCY: 2, HASHING_QUEUE },
    overrides: { hashingThreads: threads },
  });
  await janua.people.add({ ...mallory, password });
  return Object.assign(janua, gate, {
    tryLogin: (username: string, from: string) => janua.post('/api/login', { username, password }, {}, from),
    /** The token of the link in the newest mail. */
    async linkBy(url: string, email: string): Promise<string> {
      await janua.post(url, { email });
      return janua.tokenTo(email);
    },
  });
}

type Crowded = Awaited<ReturnType<typeof start>>;
type Send = (index: number) => Promise<{ readonly statusCode: number }>;

/** Sends requests at once. Tells when some of them are answered. */
function sendAtOnce(count: number, send: Send) {
  let answered = 0;
  const answers = Array.from({ length: count }, async (_, index) => {
    const { statusCode } = await send(index);
    answered += 1;
    return statusCode;
  });
  return {
    statuses: () => Promise.all(answers),
    answered: () => answered,
    async haveAnswers(least: number) {
      while (answered < least) await setImmediate();
    },
  };
}

const another = (index: number) => `a few words with the number ${index}`;

/** Every way to have a new password hashed, many times at once, by one client who holds an account, a link or rights. */
const ways: Readonly<Record<string, (janua: Crowded) => Promise<Send>>> = {
  async 'changes of a password'(janua) {
    const { bearer } = await janua.logIn(mallory.username);
    return (index) => janua.post('/api/account/password', { new_password: another(index) }, bearer);
  },
  async 'resets by a link'(janua) {
    const token = await janua.linkBy('/api/forgot-password', mallory.username);
    return (index) => janua.post('/api/reset-password', { token, password: another(index) });
  },
  async 'sign-ups by a link'(janua) {
    const token = await janua.linkBy('/api/sign-up', 'new@example.com');
    const names = { first_name: 'N', last_name: 'N' };
    return (index) => janua.post('/api/sign-up/finish', { token, ...names, password: another(index) });
  },
  async 'confirmations of identity'(janua) {
    const { bearer } = await janua.logIn(mallory.username);
    return () => janua.post('/api/confirm', { password }, bearer);
  },
  async 'new passwords by a program of the operator'({ services }) {
    return async (index) => {
      try {
        await services.administration.setPassword(mallory.username, another(index));
        return { statusCode: 200 };
      } catch (error) {
        assert.ok(error instanceof Unavailable, String(error));
        return { statusCode: 503 };
      }
    };
  },
  async 'new users of a program of the operator'({ services }) {
    return async (index) => {
      try {
        await services.administration.add({ ...mallory, username: `m${index}@example.com`, password: another(index) });
        return { statusCode: 200 };
      } catch (error) {
        assert.ok(error instanceof Unavailable, String(error));
        return { statusCode: 503 };
      }
    };
  },
};

for (const [what, prepare] of Object.entries(ways))
  test(`150 ${what} at once keep out no login from another network`, async () => {
    await using janua = await start(40);
    const send = await prepare(janua);
    janua.stop();
    const storm = sendAtOnce(150, send);
    // The queue is full, and what did not fit in is refused.
    await storm.haveAnswers(100);
    const refused = storm.answered();
    const logins = sendAtOnce(20, (index) => janua.tryLogin(ann.username, `198.51.100.${index}`));
    while (storm.answered() + logins.answered() < refused + 12) await setImmediate();
    janua.go();
    assert.deepEqual(await logins.statuses(), Array(20).fill(200));
    assert.ok((await storm.statuses()).filter((status) => status === 503).length >= 100);
  });

/** A new password that a link allows, and how to tell that it was set. */
const links = {
  async 'a reset'(janua: Crowded) {
    const token = await janua.linkBy('/api/forgot-password', mallory.username);
    return { username: mallory.username, url: '/api/reset-password', fields: { token } };
  },
  async 'a sign-up'(janua: Crowded) {
    const username = 'new@example.com';
    const token = await janua.linkBy('/api/sign-up', username);
    return { username, url: '/api/sign-up/finish', fields: { token, first_name: 'N', last_name: 'N' } };
  },
};

const hasSucceeded = (status: number) => status === 200 || status === 201;

for (const [what, prepare] of Object.entries(links))
  describe(`the link of ${what}`, () => {
    test('works after a 503 of a full queue', async () => {
      await using janua = await start(0);
      const { url, fields } = await prepare(janua);
      janua.stop();
      // No password may wait, and each account has room for a few logins.
      const logins = sendAtOnce(20, (index) => janua.tryLogin(ann.username, `198.51.100.${index}`));
      await logins.haveAnswers(18);
      const send = () => janua.post(url, { ...fields, password: another(1) });
      const refused = await send();
      assert.equal(refused.statusCode, 503);
      assert.ok(Number(refused.headers['retry-after']) > 0);
      janua.go();
      await logins.statuses();
      assert.equal(janua.newHashes(), 0);
      assert.ok(hasSucceeded((await send()).statusCode));
      assert.equal((await send()).statusCode, 410);
    });

    test('gives one success if it is used twenty times at once, and one hash', async () => {
      await using janua = await start(40);
      const { username, url, fields } = await prepare(janua);
      janua.stop();
      const uses = sendAtOnce(20, (index) => janua.post(url, { ...fields, password: another(index) }));
      janua.go();
      const statuses = await uses.statuses();
      assert.equal(statuses.filter((status) => status === 410).length, 19);
      assert.equal(janua.newHashes(), 1, 'a link that is spent costs no hash');
      const login = { username, password: another(statuses.findIndex(hasSucceeded)) };
      assert.equal((await janua.post('/api/login', login)).statusCode, 200);
    });
  });

describe('an account is read again when the turn comes', () => {
  const changes: Readonly<Record<string, (janua: Crowded) => Promise<unknown>>> = {
    'is disabled': ({ services }) => services.administration.disable(mallory.username),
    'is removed': ({ services }) => services.administration.remove(mallory.username),
    'gets another address': ({ services }) => services.administration.setAddress(mallory.username, 'moved@example.com'),
  };
  for (const [change, make] of Object.entries(changes))
    for (const [what, prepare] of [
      ['changes of a password', ways['changes of a password']],
      ['resets by a link', ways['resets by a link']],
    ] as const)
      test(`${what} of an account that ${change} meanwhile cost no hash`, async () => {
        await using janua = await start(40);
        const send = (await prepare?.(janua)) ?? assert.fail();
        janua.stop();
        // Logins of others have all the turns: four for each of the two threads.
        const logins = sendAtOnce(8, (index) => janua.tryLogin(`${index}@example.com`, `198.51.100.${index}`));
        while (janua.services.load().waiting < 6) await setImmediate();
        const sent = sendAtOnce(3, send);
        while (janua.services.load().waiting < 9) await setImmediate();
        await make(janua);
        janua.go();
        await logins.statuses();
        for (const status of await sent.statuses()) assert.ok([401, 410].includes(status), String(status));
        assert.equal(janua.newHashes(), 0);
      });
});
