import { type Check, needing, ok } from '../../selftest/finding.ts';
import { admins } from '../core/users/scopes.ts';
import { canonicalUsername } from '../core/users/user.ts';
import { checkAdministrators } from '../doctor/administrators.ts';
import { checkBackups } from '../doctor/backups.ts';
import { checkDatabase, checkSchema } from '../doctor/database.ts';
import { checkEncryption } from '../doctor/encryption.ts';
import { explain, type Stores } from '../doctor/fault-findings.ts';
import { checkHashing } from '../doctor/hashing.ts';
import { checkMail } from '../doctor/mail.ts';
import { checkMailOutage } from '../doctor/mail-outage.ts';
import { checkOpenId } from '../doctor/openid.ts';
import { checkPublicUrl } from '../doctor/public-url.ts';
import { checkRedis, checkSqlSessions } from '../doctor/session-store.ts';
import { checkSettings, type ReadSettings } from '../doctor/settings.ts';
import { checkSigningKeys } from '../doctor/signing-keys.ts';
import { checkSqliteFile, sqlitePath } from '../doctor/sqlite-file.ts';
import { checkUpstreams } from '../doctor/upstreams.ts';
import { checkSync, checkUsers } from '../doctor/users-table.ts';
import type { Settings } from '../ground/config/settings.ts';
import { inTime } from '../ground/faults/in-time.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { createFindingsPrinter, type FindingsPrinter } from './findings.ts';

/** The share of a check's time that one step of a store may take. A late step then fails first, and its error names the store. */
const stepShare = 0.8;

type Look = <Result>(name: string, check: Check<Result>) => Promise<Result | undefined>;

interface DoctorOptions {
  readonly json?: boolean;
  /** Before an upgrade: this version is not in use yet, and another one runs the server. */
  readonly upgrade?: boolean;
}

/** Checks settings and stores. Writes only the test data that `/health/ready` also writes. @returns whether nothing is wrong */
export async function doctor({ json = false, upgrade = false }: DoctorOptions): Promise<boolean> {
  const { print, conclude } = createFindingsPrinter(json);
  // This check uses no store. The other checks take their time limit from the settings that it reads.
  const read = await createLook(print, { DATABASE_URL: '', STORE_TIMEOUT_SECONDS: 1 })('settings', checkSettings());
  if (read !== undefined) await lookAtAll(read, createLook(print, read.settings), upgrade);
  return conclude();
}

async function readFileOf(path: string) {
  const { readAppliedFile } = await import('./apply/read-file.ts');
  return readAppliedFile(path);
}

async function* checkApplyFile(path: string): Check {
  const { name } = await readFileOf(path);
  yield ok(`APPLY_FILE can be read. Its name is ${name}.`);
}

/** Returns the user names of the administrators whom `APPLY_FILE` has. `checkApplyFile` reports a file that cannot be read. */
async function administratorsOf({ APPLY_FILE }: Settings): Promise<readonly string[]> {
  if (APPLY_FILE === undefined) return [];
  try {
    const { users } = await readFileOf(APPLY_FILE);
    return users.filter(({ groups }) => groups?.includes(admins)).map(({ username }) => canonicalUsername(username));
  } catch (error) {
    if (error instanceof Misconfiguration) return [];
    throw error;
  }
}

function createLook(print: FindingsPrinter['print'], stores: Stores): Look {
  return async (name, check) => {
    let isLate = false;
    async function finish() {
      for (;;) {
        const { done, value } = await check.next();
        if (done) return value;
        // A check that has run out of time goes on, but its findings would be printed among those of the next check.
        if (!isLate) print(name, value);
      }
    }
    try {
      return await inTime(finish(), stores.STORE_TIMEOUT_SECONDS * 1000);
    } catch (error) {
      isLate = true;
      for (const finding of explain(error, stores)) print(name, finding);
      return undefined;
    }
  };
}

async function lookAtAll({ settings, faulty }: ReadSettings, look: Look, isUpgrade: boolean): Promise<void> {
  const seconds = settings.STORE_TIMEOUT_SECONDS;
  const stepMilliseconds = seconds * 1000 * stepShare;
  const closing = new AsyncDisposableStack();
  try {
    const publicUrl = faulty.has('PUBLIC_URL') ? undefined : settings;
    await look('public-url', needing(publicUrl, 'PUBLIC_URL is wrong', checkPublicUrl));
    await look('hashing', checkHashing(settings));

    const opened = await look('database', checkDatabase(settings, stepMilliseconds, closing));
    const path = sqlitePath(settings.DATABASE_URL);
    if (path !== undefined && opened !== undefined) await look('file', checkSqliteFile(path));
    const unopened = 'the database could not be used';
    const schemaCheck = needing(opened, unopened, (database) => checkSchema(database, settings, isUpgrade));
    const current = await look('schema', schemaCheck);
    const older = isUpgrade
      ? 'that needs the tables of this version'
      : "Janua's tables are not as this version needs them";
    const outdated = opened === undefined ? unopened : older;

    await look('users', checkUsers(settings, opened));
    if (current !== undefined) {
      await look('users', checkSync(current));
      await look('administrators', checkAdministrators(current, settings, await administratorsOf(settings)));
      await look('backup', checkBackups(current));
    }
    const { REDIS_URL: redisUrl } = settings;
    const encryptionCheck = needing(current, outdated, (database) => checkEncryption(database, settings));
    await look('encryption', encryptionCheck);
    if (current !== undefined) {
      await look('signing-keys', checkSigningKeys(current));
      if (!faulty.has('PUBLIC_URL')) await look('openid', checkOpenId(current, settings));
    }

    const sessionsCheck =
      redisUrl === undefined
        ? needing(current, outdated, checkSqlSessions)
        : checkRedis(redisUrl, stepMilliseconds, closing);
    await look('sessions', sessionsCheck);
    const mailSettings = faulty.has('MAIL_URL') || faulty.has('MAIL_FROM') ? undefined : settings;
    const mailCheck = needing(mailSettings, 'MAIL_URL or MAIL_FROM is wrong', (sound) =>
      checkMail(sound, stepMilliseconds),
    );
    await look('mail', mailCheck);
    if (current !== undefined && mailSettings?.MAIL_URL !== undefined)
      await look('mail', checkMailOutage(current.database));
    if (settings.APPLY_FILE !== undefined) await look('apply-file', checkApplyFile(settings.APPLY_FILE));
    if (settings.UPSTREAMS_FILE !== undefined) await look('upstreams', checkUpstreams(settings, stepMilliseconds));
  } finally {
    // If a store does not close in time, the end of the process closes it.
    await inTime(closing.disposeAsync(), seconds * 1000).catch(() => {});
  }
}
