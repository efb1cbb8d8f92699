import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { createMigratedDatabase } from '../../servers/migrated.ts';
import { missing } from '../../servers/missing.ts';
import { createTemporaryFolder, fastFolder } from '../../servers/process-end.ts';
import { greeting, openOffice } from './post-office.ts';
import { startScriptedSmtp } from './scripted-smtp.ts';

const program = fileURLToPath(new URL('sending-process.ts', import.meta.url));

const mails = 40;

/** A database on disk with mails, and two processes that could send them. The first one sends, and hangs in the middle. */
async function openTakeover(engine: 'SQLite' | 'PostgreSQL') {
  const folder = createTemporaryFolder('takeover', fastFolder());
  const file = { url: `sqlite:${join(folder.path, 'janua.db')}`, drop: async () => {} };
  const { url, drop } = engine === 'SQLite' ? file : await createMigratedDatabase('postgres');
  const opened = await openTestDatabase(url);
  await migrate(opened);
  const office = await openOffice({ opened });
  for (let index = 0; index < mails; index += 1) await office.outbox.add(greeting(`${index}@example.com`));
  const smtp = await startScriptedSmtp();
  const children: ChildProcess[] = [];
  const start = () => {
    const child = spawn(process.execPath, [program, url, `smtp://127.0.0.1:${smtp.port}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    return child;
  };

  const { promise: stuck, resolve } = Promise.withResolvers<void>();
  let silent = 0;
  smtp.direct((command) => {
    if (command !== 'DATA' || smtp.received.length < 10) return undefined;
    silent += 1;
    if (silent === 5) resolve();
    return 'silence';
  });
  const first = start();
  await stuck;
  const lease = await opened.database.selectFrom('janua_leases').select('expires_at').executeTakeFirstOrThrow();
  assert.ok(Number(lease.expires_at) - Date.now() <= 13_000, 'and the other process looks every two seconds');
  smtp.direct(() => undefined);
  const second = start();
  assert.ok(second.stdout);
  await once(createInterface({ input: second.stdout }), 'line');
  return {
    ...office,
    smtp,
    first,
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await smtp[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
      await drop();
      folder.remove();
    },
  };
}

describe('another process goes on within 15 seconds', { concurrency: true }, () => {
  test('when the one that sends is killed', async () => {
    await using taken = await openTakeover('SQLite');
    const { smtp, first } = taken;
    const sent = smtp.received.length;
    first.kill('SIGKILL');
    await smtp.waitFor(sent + 1);
    await smtp.waitFor(mails);
    assert.equal(new Set(smtp.received.map(({ to }) => to[0])).size, mails);
  });

  test('when the one that sends is stopped, which sends nothing more when it resumes', {
    skip: missing('PostgreSQL'),
  }, async () => {
    await using taken = await openTakeover('PostgreSQL');
    const { smtp, first } = taken;
    first.kill('SIGSTOP');
    await smtp.waitFor(mails);
    const { stdout } = first;
    assert.ok(stdout);
    first.kill('SIGCONT');
    await once(createInterface({ input: stdout }), 'line');
    assert.equal(smtp.received.length, mails);
    assert.deepEqual(
      smtp.received.map(({ to }) => to[0]).sort(),
      Array.from({ length: mails }, (_, index) => `${index}@example.com`).sort(),
      'each mail once',
    );
    assert.deepEqual(await taken.listed(), []);
  });
});
