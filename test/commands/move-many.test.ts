import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { fillUsers } from '../ground/database/filled.ts';
import { isLong } from '../long.ts';
import { missing } from '../servers/missing.ts';
import { openMigratedDatabase } from '../stores.ts';
import { createWorkplace } from './janua-command.ts';

const many = 300_000;

/** Megabytes. Without rows the command needs 80, and with SQLite 64 more for its cache. */
const mostMemory = 350;

/** Prints the most memory that the process had, in MB. */
const reportingMemory = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    "process.on('exit', () => console.error('peak', Math.round(process.resourceUsage().maxRSS / 1024)));",
  )}`,
};

test(`${many} users move from each engine to another one`, {
  skip: !isLong || missing('PostgreSQL', 'MariaDB'),
  timeout: 9 * 60_000,
}, async (t) => {
  await using workplace = await createWorkplace();
  await using closing = new AsyncDisposableStack();
  const open = async (engine: 'SQLite' | 'PostgreSQL' | 'MariaDB') => {
    const { url, drop } = await openMigratedDatabase(engine);
    closing.defer(drop);
    return { engine, url };
  };
  let from = await open('SQLite');
  await fillUsers(from.url, many);
  for (const engine of ['PostgreSQL', 'MariaDB', 'SQLite'] as const) {
    const to = await open(engine);
    const env = { DATABASE_URL: from.url, ENCRYPTION_KEY_FILE: join(workplace.folder, 'key'), ...reportingMemory };
    const began = performance.now();
    const { code, stdout, stderr } = await workplace.run(['move', '--to', to.url], { env, limit: 5 * 60_000 });
    const seconds = (performance.now() - began) / 1000;
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^janua_users +${many}$`, 'm'));
    const memory = Number(/peak (\d+)/.exec(stderr)?.[1]);
    const speed = Math.round((many * 2) / seconds);
    t.diagnostic(`${from.engine} to ${to.engine}: ${speed} rows a second, at most ${memory} MB of memory`);
    assert.ok(memory < mostMemory, `${memory} MB`);
    from = to;
  }
});
