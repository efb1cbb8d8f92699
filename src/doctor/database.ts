import { type Check, ok, warning } from '../../selftest/finding.ts';
import { clockOfDatabase } from '../core/stores/clocks.ts';
import type { Settings } from '../ground/config/settings.ts';
import { shownUrl } from '../ground/config/shown-url.ts';
import { type OpenDatabase, openDatabase } from '../ground/database/database.ts';
import { sql } from '../ground/database/kysely.ts';
import { findUpgrade, requireTables, requireUsableSchema } from '../ground/database/migrations.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';
import { checkClock } from './clocks.ts';
import { findingsOf } from './fault-findings.ts';
import * as finding from './finding.ts';
import { medianTime } from './hashing.ts';

/** Milliseconds that a round trip should take at most. Each request makes one or two. */
const farAway = 20;

/** Opens the database, and returns it if it answers. `closing` closes it. @param timeoutMilliseconds how long a step may take */
export async function* checkDatabase(
  settings: Settings,
  timeoutMilliseconds: number,
  closing: AsyncDisposableStack,
): Check<OpenDatabase> {
  const { DATABASE_URL: url } = settings;
  async function open(connections: number) {
    const opened = await openDatabase(url, { connections, timeoutMilliseconds, watch: unwatched, mustExist: true });
    closing.defer(() => opened.database.destroy());
    return opened;
  }
  const opened = await open(settings.DATABASE_CONNECTIONS);
  const roundTrip = () => sql`select 1`.execute(opened.database);
  // The first round trip connects, and is not measured.
  await roundTrip();
  const median = await medianTime(5, roundTrip);
  const shown = median < 0.1 ? 'less than 0.1' : median.toFixed(1);
  const message = `${shownUrl(url)} answers; a round trip takes ${shown} ms.`;
  yield median > farAway ? warning(message, 'Move the database nearer: every request waits for it.') : ok(message);
  const clock = clockOfDatabase(opened);
  if (clock !== undefined) yield* checkClock(clock);
  if (opened.engine === 'postgres' && (await losesStatements([await open(1), await open(1)])))
    yield warning(
      'A pooler before PostgreSQL loses prepared statements, so look-ups cost more.',
      'Set max_prepared_statements above 0 in PgBouncer 1.21 or newer, or let it pool sessions: pool_mode = session.',
    );
  return opened;
}

/**
 * Detects a connection pooler that loses prepared statements. Two clients with a connection each prepare a statement, and use it again. The
 * pooler may then pass the use to a connection without the statement, or to one where the other client's statement has the same name.
 */
async function losesStatements([one, other]: readonly [OpenDatabase, OpenDatabase]): Promise<boolean> {
  for (const { database, prepareLookup } of [one, one, other, other]) {
    const find = prepareLookup((value) => ({ compile: () => sql<object>`select ${value}::text`.compile(database) }));
    await find('');
  }
  return [one, other].some((client) => client.losesStatements());
}

/** @param isUpgrade whether this version is not in use yet, so that older tables are no fault */
export async function* checkSchema(
  opened: OpenDatabase,
  { USERS_TABLE, REDIS_URL }: Settings,
  isUpgrade = false,
): Check<OpenDatabase | undefined> {
  let isNewer: boolean;
  try {
    const upgrade = isUpgrade ? await findUpgrade(opened.database) : undefined;
    if (upgrade !== undefined && upgrade.missing.length > 0) {
      yield ok(`The tables can be updated: ${upgrade.missing.join(', ')}.`);
      if (upgrade.areFormer)
        yield warning(
          'Servers of version 0.2 answer 503 once the tables are updated.',
          'Stop them before you run ./bin/janua migrate.',
        );
      return undefined;
    }
    ({ isNewer } = await requireUsableSchema(opened));
    await requireTables(opened.database, { users: USERS_TABLE === undefined, sessions: REDIS_URL === undefined });
  } catch (error) {
    if (!(error instanceof Misconfiguration)) throw error;
    yield* findingsOf(error.faults, 'Run: ./bin/janua migrate');
    return undefined;
  }
  yield isNewer
    ? finding.warning(
        "A newer version has added to Janua's tables. This one still works with them.",
        'Start the newer version.',
      )
    : finding.ok("Janua's tables are of this version.");
  return opened;
}
