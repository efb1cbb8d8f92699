import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { json } from '../web/faces.ts';

/**
 * Tells how well the time separates one kind of failure from another: 0.5 is not at all, 0 and 1 are always (the area under
 * the curve of a rank test).
 */
function separability(one: readonly number[], other: readonly number[]): number {
  let above = 0;
  for (const a of one) for (const b of other) above += a > b ? 1 : a === b ? 0.5 : 0;
  return above / (one.length * other.length);
}

/** Milliseconds of failed logins of each kind. The kinds take turns, so that a busy moment affects all of them. */
async function measure({ app }: TestJanua, kinds: readonly object[], rounds: number): Promise<number[][]> {
  const times: number[][] = kinds.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const index = (round + turn) % kinds.length;
      const start = performance.now();
      const answer = await app.inject({ method: 'POST', url: '/api/login', ...json({ ...kinds[index] }) });
      times[index]?.push(performance.now() - start);
      assert.equal(answer.statusCode, 400);
    }
  }
  return times;
}

// Shows: S42 S43 S44 V6.3.8 VM-18 VM-19
test('the time of a failed login does not reveal an unknown user, a disabled user or a cheap hash', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'off' } });
  await janua.people.add({ username: 'gone@example.com', firstName: 'G', lastName: 'G', password });
  await janua.people.disable('gone@example.com');
  // A thousandth of the work of a current hash.
  const passwordHash = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';
  await janua.services.registry?.add({
    username: 'old@example.com',
    firstName: 'O',
    lastName: 'O',
    passwordHash,
    demo: false,
  });
  const kinds = [
    { username: ann.username, password: 'wrong' },
    { username: 'nobody@example.com', password: 'wrong' },
    { username: 'old@example.com', password: 'wrong' },
    { username: 'gone@example.com', password },
  ];
  await measure(janua, kinds, 5);
  let worst = 1;
  // With 60 tries of each kind, chance stays within 0.15 of 0.5 in 99.5 % of cases. On a busy machine it may not.
  for (let attempt = 0; attempt < 4 && worst > 0.15; attempt++) {
    const [known = [], ...others] = await measure(janua, kinds, 60);
    worst = Math.max(...others.map((times) => Math.abs(separability(known, times) - 0.5)));
  }
  assert.ok(worst <= 0.15, `response times reveal the kind of failure: ${worst.toFixed(2)}`);
});
