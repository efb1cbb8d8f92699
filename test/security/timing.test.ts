import assert from 'node:assert/strict';
import { test } from 'node:test';
import { separate } from '../../bench/statistics.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { json } from '../web/faces.ts';

/** A request with bodies of several kinds, which must take the same time. */
interface Compared {
  readonly url: string;
  readonly status: number;
  readonly kinds: readonly object[];
}

/** Microseconds of the processor for each response. Unlike the time on the clock, they hardly depend on what else the machine does. */
async function measure({ app }: TestJanua, { url, status, kinds }: Compared, rounds: number): Promise<number[][]> {
  const times: number[][] = kinds.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const turn of kinds.keys()) {
      // Each kind comes after each other one.
      const index = ((round % 2 === 0 ? turn : kinds.length - turn) + round) % kinds.length;
      const start = process.cpuUsage();
      const answer = await app.inject({ method: 'POST', url, ...json({ ...kinds[index] }) });
      const { user, system } = process.cpuUsage(start);
      times[index]?.push(user + system);
      assert.equal(answer.statusCode, status);
    }
  }
  return times;
}

/** Fails if the time tells the first kind from another. */
async function requireSameTime(janua: TestJanua, compared: Compared): Promise<void> {
  await measure(janua, compared, 5);
  let worst = 1;
  // With 40 tries of each kind, chance stays within 0.18 of 0.5 in 99.5 % of cases. On a busy machine it may not.
  for (let attempt = 0; attempt < 4 && worst > 0.18; attempt++) {
    const [known = [], ...others] = await measure(janua, compared, 40);
    worst = Math.max(...others.map((times) => Math.abs(separate(known, times).area - 0.5)));
  }
  assert.ok(worst <= 0.18, `response times of ${compared.url} reveal the kind: ${worst.toFixed(2)}`);
}

/** A thousandth of the work of a current hash. */
const cheapHash = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';

for (const [kind, credentials] of [
  ['an unknown user', { username: 'nobody@example.com', password: 'wrong' }],
  ['a cheap hash', { username: 'old@example.com', password: 'wrong' }],
  ['a disabled user', { username: 'gone@example.com', password }],
] as const)
  test(`the time of a failed login does not reveal ${kind}`, async () => {
    await using janua = await startJanua({ settings: { THROTTLE: 'off' } });
    await janua.people.add({ username: 'gone@example.com', firstName: 'G', lastName: 'G', password });
    await janua.people.disable('gone@example.com');
    const old = { username: 'old@example.com', firstName: 'O', lastName: 'O', passwordHash: cheapHash, demo: false };
    await janua.services.registry?.add(old);
    const kinds = [{ username: ann.username, password: 'wrong' }, credentials];
    await requireSameTime(janua, { url: '/api/login', status: 400, kinds });
  });

for (const url of ['/api/forgot-password', '/api/sign-up']) {
  test(`the time of ${url} does not reveal whether an account has the address`, async () => {
    await using janua = await startJanua({ settings: { THROTTLE: 'off', HASHING_CONCURRENCY: 1, SIGN_UP: 'on' } });
    await janua.people.add({ username: 'gone@example.com', firstName: 'G', lastName: 'G', password });
    await janua.people.disable('gone@example.com');
    const kinds = [ann.username, 'nobody@example.com', 'gone@example.com'].map((email) => ({ email }));
    await requireSameTime(janua, { url, status: 202, kinds });
  });
}
