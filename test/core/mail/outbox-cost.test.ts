import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CompiledQuery, type KyselyPlugin, type RootOperationNode } from 'kysely';
import { createOutbox } from '../../../src/core/mail/outbox.ts';
import { createQueue } from '../../../src/core/mail/queue.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import { descriptions, greeting } from './post-office.ts';

/** Mails of each kind that wait. */
const waiting = 10_000;

/** Rows that one statement may read. It finds up to 50 mails, and sorts none. */
const mostRows = 200;

const now = Date.now();
const hour = 60 * 60 * 1000;

type Row = { due_at: number | null; turn_at: number | null; expires_at?: number; stranger?: 0 | 1; party?: string };

const kinds: Readonly<Record<string, (index: number) => Row>> = {
  'mails of one stranger wait': (index) => ({ due_at: now - hour, turn_at: now - hour + index }),
  'mails of one user wait': (index) => ({
    due_at: now - hour,
    turn_at: now - hour + index,
    stranger: 0,
    party: 'user:a',
  }),
  'mails of many strangers wait': (index) => ({ due_at: now - index, turn_at: now - index, party: `${index}` }),
  'mails are put off': (index) => ({ due_at: now + hour + index, turn_at: null }),
  'mails were given up': () => ({ due_at: null, turn_at: null, expires_at: now + 7 * 24 * hour }),
};

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`on ${engine} a look for mail reads few rows`, { skip: missing(engine) }, () => {
    for (const [kind, rowOf] of Object.entries(kinds))
      test(`while ${waiting} ${kind}`, async () => {
        await using opened = await openMigrated(engine);
        const { database } = opened;
        await fill(database, rowOf);
        const recorded: RootOperationNode[] = [];
        const common = { database: database.withPlugin(recording(recorded)), descriptions, now: () => now };
        const outbox = createOutbox(common);
        await outbox.hasDue();
        const found = await outbox.findDue(5);
        assert.ok(found.length <= 5);
        await outbox.findExpired(50);
        const selects = recorded.filter(({ kind }) => kind === 'SelectQueryNode');
        assert.equal(selects.length, 5);
        // It needs the last turn of its party.
        await createQueue({ ...common, onAdded() {} }).add(
          greeting('bob@example.com', { causedBy: { network: '2001:db8::/48' } }),
        );
        for (const node of selects) {
          const { sql, parameters } = database.getExecutor().compileQuery(node, { queryId: 'cost' });
          const cost = await costs[engine](database, sql, parameters);
          assert.ok(cost.rows <= mostRows, `${cost.rows} rows: ${sql}\n${cost.plan}`);
        }
      });
  });
}

/** Adds mails of one kind. */
async function fill(database: Database, rowOf: (index: number) => Row): Promise<void> {
  const step = 500;
  for (let start = 0; start < waiting; start += step) {
    const rows = Array.from({ length: step }, (_, offset) => ({
      id: `mail-${start + offset}`,
      purpose: 'greeting',
      address: 'ann@example.com',
      language: 'en',
      details: '{}',
      created_at: now - hour,
      expires_at: now + 24 * hour,
      stranger: 1,
      party: '2001:db8::/48',
      ...rowOf(start + offset),
    }));
    await database.insertInto('janua_mails').values(rows).execute();
  }
}

const recording = (recorded: RootOperationNode[]): KyselyPlugin => ({
  transformQuery({ node }) {
    recorded.push(node);
    return node;
  },
  transformResult: async ({ result }) => result,
});

interface Cost {
  readonly rows: number;
  readonly plan: string;
}

type FindCost = (database: Database, sql: string, parameters: readonly unknown[]) => Promise<Cost>;

/** Finds how many rows a statement reads. SQLite tells only whether it reads all of a table, or sorts: either counts as all. */
const costs: Readonly<Record<UserEngine, FindCost>> = {
  async SQLite(database, sql, parameters) {
    const { rows } = await database.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]),
    );
    const plan = rows.map(({ detail }) => detail).join('\n');
    return { rows: /^SCAN|TEMP B-TREE/m.test(plan) ? Number.POSITIVE_INFINITY : 0, plan };
  },
  async PostgreSQL(database, sql, parameters) {
    const explained = CompiledQuery.raw(`explain (analyze, format json) ${sql}`, [...parameters]);
    const { rows } = await database.executeQuery<Record<string, unknown>>(explained);
    const plan = JSON.stringify(rows);
    return { rows: sumOf(plan, /"(?:Actual Rows|Rows Removed by Filter)":([\d.]+)/g), plan };
  },
  async MariaDB(database, sql, parameters) {
    const { rows } = await database.executeQuery<Record<string, string>>(
      CompiledQuery.raw(`analyze format=json ${sql}`, [...parameters]),
    );
    const plan = Object.values(rows[0] ?? {}).join();
    return { rows: sumOf(plan, /"r_rows": ([\d.]+)/g), plan };
  },
};

const sumOf = (text: string, figure: RegExp): number =>
  [...text.matchAll(figure)].reduce((sum, [, number]) => sum + Number(number), 0);
