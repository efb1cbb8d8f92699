import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createHashingThreads } from '../../../../src/core/passwords/hashing/threads.ts';
import { Unavailable } from '../../../../src/ground/faults/unavailable.ts';

const nobodys = { storedHash: undefined, rehashes: false };

test('the main thread goes on with other work while passwords are hashed', async () => {
  const threads = createHashingThreads(2);
  let done = 0;
  // A busy machine may let a thread finish first, but not each time.
  for (let round = 0; round < 100 && done === 0; round += 1) {
    // It runs before a computation ends only if that does not occupy this thread.
    const other = setImmediate(() => {
      done += 1;
    });
    await threads.compute('hash', { password: 'x' });
    clearImmediate(other);
  }
  assert.ok(done > 0);
});

test('each caller gets its own result, however many there are', async () => {
  const threads = createHashingThreads(2);
  const passwords = Array.from({ length: 12 }, (_, index) => `password ${index}`);
  const hashes = await Promise.all(passwords.map((password) => threads.compute('hash', { password })));
  const found = await Promise.all(
    passwords.map((password, index) =>
      threads.compute('compare', { ...nobodys, storedHash: hashes[index]?.result, password }),
    ),
  );
  assert.ok(found.every(({ result }) => result.matches));
});

test('the duration of a computation does not include its wait', async () => {
  const threads = createHashingThreads(1);
  await threads.compute('hash', { password: 'x' });
  const start = performance.now();
  const all = await Promise.all(Array.from({ length: 6 }, () => threads.compute('hash', { password: 'x' })));
  const elapsed = performance.now() - start;
  const computing = all.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  assert.ok(computing <= elapsed, `${computing} of ${elapsed} ms`);
  assert.ok((all.at(-1)?.waited ?? 0) > (all[0]?.waited ?? 0));
});

test('the work of a thread that dies fails, and later work gets a new thread', async () => {
  const threads = createHashingThreads(1);
  // The thread throws, because the password is not a text.
  const broken = threads.compute('compare', { ...nobodys, password: 1 as unknown as string });
  const behind = threads.compute('hash', { password: 'x' });
  await assert.rejects(broken, Unavailable);
  await assert.rejects(behind, Unavailable);
  assert.match((await threads.compute('hash', { password: 'x' })).result, /^\$argon2id\$/);
});

test('a task that cannot be sent fails alone, and every other caller gets its own result', async () => {
  const threads = createHashingThreads(1);
  const { result: storedHash } = await threads.compute('hash', { password: 'x' });
  // A function cannot be sent to a thread.
  const unsendable = { ...nobodys, password: 'x', check: () => {} };
  const compare = (password: string) => threads.compute('compare', { ...nobodys, storedHash, password });
  const [unsent, right, wrong] = await Promise.allSettled([
    threads.compute('compare', unsendable),
    compare('x'),
    compare('y'),
  ]);
  assert.equal(unsent.status, 'rejected');
  assert.equal(right.status === 'fulfilled' && right.value.result.matches, true);
  assert.equal(wrong.status === 'fulfilled' && wrong.value.result.matches, false);
});

test('an idle thread lets the process end, and a busy thread keeps it running', async () => {
  const program = `
    import { createHashingThreads } from ${JSON.stringify(new URL('../../../../src/core/passwords/hashing/threads.ts', import.meta.url))};
    const threads = createHashingThreads(2);
    for (const password of ['x', 'y']) console.log((await threads.compute('hash', { password })).result.slice(0, 9));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 60_000,
  });
  assert.equal(stdout, '$argon2id\n$argon2id\n');
});
