import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';
import type { OpenDatabase } from '../database/database.ts';
import { sql } from '../database/kysely.ts';
import type { OpenRedis } from '../redis/redis.ts';
import { serversOf } from './session-store.ts';

/** The earliest time at which this version can be installed, in milliseconds since 1970. */
const released = Date.UTC(2026, 0, 1);

/** Milliseconds by which a store's clock may differ from this machine's before the finding is a warning, and before it is wrong. */
const noticeable = 2_000;
const harmful = 30_000;

const fix = 'Let all machines take the time from the network, for example with: timedatectl set-ntp true';

export async function* checkClock(opened: OpenDatabase | undefined, redis: OpenRedis | undefined): Check {
  const now = Date.now();
  const shown = `This machine's clock says ${new Date(now).toISOString().slice(0, 19)} UTC`;
  yield now < released ? wrong(`${shown}, which is before this version was made.`, fix) : ok(`${shown}.`);
  if (opened !== undefined && opened.engine !== 'sqlite')
    yield await compare('The database', () => askDatabase(opened));
  if (redis !== undefined) yield await compare('Redis', () => askRedis(redis));
}

async function askDatabase({ database, engine }: OpenDatabase): Promise<number> {
  const time = engine === 'postgres' ? sql`extract(epoch from clock_timestamp())` : sql`unix_timestamp(sysdate(3))`;
  const { rows } = await sql<{ time: number | string }>`select ${time} as time`.execute(database);
  return Number(rows[0]?.time) * 1000;
}

async function askRedis(redis: OpenRedis): Promise<number> {
  const times = await redis.use((client) => Promise.all(serversOf(client).map((server) => server.time())));
  const milliseconds = times.map(([seconds, microseconds]) => Number(seconds) * 1000 + Number(microseconds) / 1000);
  // A cluster has several clocks. The one with the largest difference counts.
  const now = Date.now();
  return milliseconds.toSorted((a, b) => Math.abs(b - now) - Math.abs(a - now))[0] ?? now;
}

async function compare(name: string, ask: () => Promise<number>): Promise<Finding> {
  const before = Date.now();
  const there = await ask();
  // We assume that the other clock was read halfway between the question and the answer.
  const difference = there - (before + Date.now()) / 2;
  const distance = Math.abs(difference);
  const seconds = `${(distance / 1000).toFixed(1)} s`;
  if (distance <= noticeable) return ok(`${name} has the same time, to within ${seconds}.`);
  const message = `${name} is ${seconds} ${difference > 0 ? 'ahead of' : 'behind'} this machine.`;
  const harm = 'If several processes serve, sessions end early or late.';
  return distance > harmful ? wrong(`${message} ${harm}`, fix) : warning(message, fix);
}
