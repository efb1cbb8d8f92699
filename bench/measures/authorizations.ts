import { stat } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { compose } from '../../src/compose.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { percentile } from '../statistics.ts';
import { createWorkspace } from '../workspace.ts';
import { openJanua } from './applications.ts';

const perSecond = 200;

/** Milliseconds between two looks at the memory. */
const lookInterval = 10_000;

/** Sign-ins that strangers begin and leave. None is kept. */
const abandoned = 100_000;

/** Asked for at a time, so that no task takes too long. */
const batch = 10_000;

const dayMilliseconds = 86_400_000;

/** Whole sign-ins at a fixed rate, then many that are abandoned, and what both leave behind. Gives the lines of two tables. */
export async function measureAuthorizations(seconds: number): Promise<{ memory: string[][]; abandoned: string[][] }> {
  await using stack = new AsyncDisposableStack();
  const { settings, cookie } = await createWorkspace(1);
  const { server, client } = await openJanua(stack, settings, cookie);
  const file = settings.DATABASE_URL?.slice('sqlite:'.length) ?? '';
  const megabytes = async () => ((await stat(file)).size / 1e6).toFixed(1);
  const resident = async () => ((await server.ask('usage')).resident / 1e6).toFixed(0);

  const start = performance.now();
  const memory = [['second', 'resident', 'database']];
  const look = async () =>
    memory.push([((performance.now() - start) / 1000).toFixed(0), `${await resident()} MB`, `${await megabytes()} MB`]);
  await look();
  const timer = setInterval(look, lookInterval);
  const before = await server.ask('usage');
  const times: number[] = [];
  for (let second = 0; second < seconds; second += 10) times.push(...(await client.ask('signIn', perSecond, 10)));
  clearInterval(timer);
  const took = (performance.now() - start) / 1000;
  const cores = ((await server.ask('usage')).cpu - before.cpu) / 1e6 / took;
  await look();
  memory.push(
    [`${times.length} sign-ins in ${took.toFixed(0)} s`, `${(times.length / took).toFixed(0)} a second`, ''],
    [`p50 ${percentile(times, 0.5).toFixed(1)} ms`, `p99 ${percentile(times, 0.99).toFixed(1)} ms`, ''],
    [`cores busy: ${cores.toFixed(2)}`, '', ''],
  );

  const database = new DatabaseSync(file, { readOnly: true });
  const count = () => String(database.prepare('select count(*) as n from janua_oidc_records').get()?.n);
  const lines = [['', 'records', 'database', 'resident']];
  const tell = async (what: string) => lines.push([what, count(), `${await megabytes()} MB`, `${await resident()} MB`]);
  await tell('before');
  for (let left = 0; left < abandoned; left += batch) await client.ask('abandon', batch);
  await tell(`after ${abandoned} abandoned sign-ins`);
  const later = () => Date.now() + dayMilliseconds * 60;
  const composition = await compose(loadSettings({}, settings), { now: later });
  const { clean } = await composition.prepare();
  const cleaning = performance.now();
  await clean();
  const cleaned = performance.now() - cleaning;
  await composition.close();
  await tell(`after cleaning (${(cleaned / 1000).toFixed(1)} s)`);
  database.close();
  return { memory, abandoned: lines };
}
