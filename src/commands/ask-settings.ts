import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { existsSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { openTransport } from '../core/mail/transport.ts';
import { refusesPassword } from '../core/stores/store-faults.ts';
import { explain } from '../doctor/fault-findings.ts';
import { sqlitePath } from '../doctor/sqlite-file.ts';
import { loadSettings, requireSafeExposure } from '../ground/config/load.ts';
import { findMailRoute, type MailRoute } from '../ground/config/mail-server.ts';
import { linesOf, type Values } from '../ground/config/settings-file.ts';
import { type OpenDatabase, openDatabase } from '../ground/database/database.ts';
import { sql } from '../ground/database/kysely.ts';
import { inTime } from '../ground/faults/in-time.ts';
import { faultsOf, lineOf, Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';
import { Unavailable } from '../ground/faults/unavailable.ts';
import { bareHost } from '../ground/text/networks.ts';
import { type Asking, type SetupOptions, say, withPassword } from './asking.ts';
import { sendTestMail } from './mail.ts';
import { findFolderFault, makeTrialFolder, requireKeyFolder } from './service-account.ts';

/** Milliseconds that the database, the mail server and a name server may take each. */
export const patience = 8_000;

const serviceFolder = '/var/lib/janua';

export async function askSettings(asking: Asking, options: SetupOptions): Promise<Values> {
  const { find } = asking;
  const name = await find('name', 'Name of the site', (text) => faultOf('APP_NAME', { APP_NAME: text }), 'Janua');
  const publicUrl = await find('publicUrl', 'Address that users open, such as https://auth.example.com', checkAddress);
  const databaseUrl = await askDatabase(asking, options);
  const path = sqlitePath(databaseUrl);
  const keyFile = options.keyFile ?? (path === undefined ? `${serviceFolder}/janua.encryption-key` : undefined);
  // The folder of the database may not exist yet: it is made later, with the database.
  const isBeside = path !== undefined && dirname(resolve(keyFile ?? '')) === dirname(path);
  if (keyFile !== undefined && !isBeside) requireKeyFolder(keyFile);
  const { origin, protocol, hostname, port } = new URL(publicUrl);
  const values = {
    APP_NAME: name,
    PUBLIC_URL: origin,
    ...(protocol === 'http:' && port !== ''
      ? // Plain http is for this machine alone, so the server itself listens at that port, without a proxy.
        { PORT: port, ...(hostname === '[::1]' && { HOST: '::1' }) }
      : // Janua listens on the loopback address alone, so the proxy is on the same machine.
        { TRUSTED_PROXIES: '127.0.0.1' }),
    DATABASE_URL: databaseUrl,
    ...(keyFile !== undefined && { ENCRYPTION_KEY_FILE: resolve(keyFile) }),
  };
  return { ...values, ...(await askMail(asking, options, values)) };
}

/** Finds the first fault of a setting: it cannot be written to the file, or `janua serve` would refuse it. */
function faultOf(name: string, values: Values): string | undefined {
  const inUse = () => requireSafeExposure(loadSettings({}, values), 'serve');
  const faults = [() => linesOf(values), inUse].flatMap(faultsOf);
  const fault = faults.find(({ message }) => message.startsWith(name));
  return fault && lineOf(fault);
}

async function checkAddress(url: string): Promise<string | undefined> {
  if (url === '') return 'PUBLIC_URL must be set to the https address that browsers use.';
  const fault = faultOf('PUBLIC_URL', { PUBLIC_URL: url });
  if (fault !== undefined) return fault;
  const { hostname } = new URL(url);
  const isKnown = await inTime(lookup(bareHost(hostname)), patience).then(
    () => true,
    () => false,
  );
  if (!isKnown) say(`Note: no address is known for ${hostname} yet. Browsers need one.`);
  return undefined;
}

/** Matches a URL that has an account but no password: postgres://ACCOUNT@HOST/DATABASE. */
const accountAlone = /^([a-z]+:\/\/[^/@:?#]+)@/;
const inlinePassword = /^([a-z]+:\/\/[^/@:?#]+):[^/@]*@/;
const asArgument = 'The password must not be in an argument, which every process could read. Put it into a file.';

async function askDatabase(
  { find, findSecret, askSecret, isTerminal }: Asking,
  options: SetupOptions,
): Promise<string> {
  let complete = '';
  async function check(url: string): Promise<string | undefined> {
    if (options.database !== undefined && withPassword.test(url)) return asArgument;
    if (url === 'sqlite::memory:') return 'This would be gone with the process. Name a file: sqlite:PATH.';
    if (url.startsWith('sqlite:~')) return 'Write the path in full, because ~ has no meaning here.';
    complete = url;
    if (accountAlone.test(url)) {
      const ask = () => askSecret('Password of the database, empty for none: ');
      complete = addPassword(url, await findSecret('databasePasswordFile', ask));
    }
    const account = url.replace(inlinePassword, '$1@');
    const mayAskAgain = isTerminal && options.databasePasswordFile === undefined && accountAlone.test(account);
    for (;;) {
      const fault = faultOf('DATABASE_URL', { DATABASE_URL: complete });
      if (fault !== undefined) return fault;
      const refused = await checkDatabase(complete);
      if (!refused?.isPassword || !mayAskAgain) return refused?.message;
      say(refused.message);
      const password = await askSecret('Password of the database, empty to change the address: ');
      if (password === '') return 'Correct the address, or the account in it.';
      complete = addPassword(account, password);
    }
  }
  const question = 'Database: sqlite:PATH, or such as postgres://ACCOUNT@HOST/DATABASE';
  // Without a terminal, no file is proposed: the operator would not see it, and it may belong to a server in use.
  await find('database', question, check, isTerminal ? usualFile(options) : '');
  return withAbsolutePath(complete);
}

/** Proposes a file that this account can make: in the folder of the service, or beside the settings. */
function usualFile({ settingsFile }: SetupOptions): string {
  const folders = [serviceFolder, dirname(resolve(settingsFile))];
  const folder = folders.find((one) => findFolderFault(lowestOf(one)) === undefined);
  return folder === undefined ? '' : `sqlite:${folder}/janua.db`;
}

const addPassword = (url: string, password: string) =>
  password === '' ? url : url.replace(accountAlone, (_, start) => `${start}:${encodeURIComponent(password)}@`);

/** Makes the path of a SQLite file absolute, because commands in other folders read the settings too. */
export function withAbsolutePath(url: string): string {
  const path = sqlitePath(url);
  return path === undefined ? url : `sqlite:${resolve(path)}`;
}

/** Whether the URL names a SQLite file that does not exist yet. */
export function isNewFile(url: string): boolean {
  const path = sqlitePath(url);
  return path !== undefined && !existsSync(path);
}

/** Finds the folder, or the nearest one above it that exists for this account. */
const lowestOf = (folder: string): string => (existsSync(folder) ? folder : lowestOf(dirname(folder)));

interface DatabaseFault {
  readonly message: string;
  /** Whether the database refuses the account or its password. */
  readonly isPassword?: boolean;
}

/** Connects to the database, and creates a table to test the rights. */
async function checkDatabase(url: string): Promise<DatabaseFault | undefined> {
  const seconds = patience / 1000;
  try {
    await using closing = new AsyncDisposableStack();
    // A new file is tested in a temporary folder, because a later check may still refuse the answer.
    const path = sqlitePath(url);
    const trial = path && isNewFile(url) ? makeTrialFolder(lowestOf(dirname(resolve(path)))) : undefined;
    if (trial !== undefined) closing.defer(() => rmSync(trial, { recursive: true }));
    const opened = await openDatabase(trial === undefined ? url : `sqlite:${trial}/janua.db`, {
      connections: 1,
      timeoutMilliseconds: patience,
      watch: unwatched,
    });
    closing.defer(() => opened.database.destroy());
    await opened.check();
    return await tryTable(opened);
  } catch (error) {
    if (error instanceof Misconfiguration) return { message: error.message };
    const [fault] = explain(error, { DATABASE_URL: url, STORE_TIMEOUT_SECONDS: seconds });
    return (
      fault && {
        message: `${fault.message} ${inTermsOfAnswers(fault.fix ?? '')}`,
        isPassword: refusesPassword(error),
      }
    );
  }
}

/** Rewords advice about the setting: the operator types the address and its password separately. */
const inTermsOfAnswers = (fix: string) =>
  fix
    .replace(/USER:PASSWORD in DATABASE_URL \(.*?\)/, 'the account or its password')
    .replace('DATABASE_URL', 'the address');

async function tryTable({ database }: OpenDatabase): Promise<DatabaseFault | undefined> {
  const table = sql.table(`janua_setup_${randomBytes(6).toString('hex')}`);
  try {
    await sql`create table ${table} (id integer)`.execute(database);
    await sql`drop table ${table}`.execute(database);
    return undefined;
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    const reason = (error as Error).message;
    return {
      message: `The account may not create tables (${reason}). Grant it that right, or make it the owner of the database.`,
    };
  }
}

/** Asks for the mail server and the sender. */
async function askMail({ find, findSecret, askSecret }: Asking, options: SetupOptions, values: Values) {
  let complete = '';
  async function check(url: string): Promise<string | undefined> {
    complete = '';
    if (url === 'none') return undefined;
    if (options.mail !== undefined && withPassword.test(url)) return asArgument;
    complete = url;
    if (accountAlone.test(url)) {
      const ask = () => askSecret('Password of the mail server: ');
      complete = addPassword(url, await findSecret('mailPasswordFile', ask));
      if (complete === url) return 'The password is missing. Without an account, use smtp://HOST:PORT.';
    }
    const fault = faultOf('MAIL_URL', { MAIL_URL: complete });
    return fault ?? verifyMail({ ...values, MAIL_URL: complete, MAIL_FROM: 'a@example.com' });
  }
  await find('mail', 'Mail server: smtp://ACCOUNT@HOST:PORT, or none', check, 'none');
  if (complete === '') return {};
  const checkFrom = (from: string) => faultOf('MAIL_FROM', { MAIL_FROM: from });
  const usual = `no-reply@${new URL(values.PUBLIC_URL ?? '').hostname}`;
  return { MAIL_URL: complete, MAIL_FROM: await find('mailFrom', 'Sender of mails', checkFrom, usual) };
}

const routeOf = (values: Values): MailRoute | undefined => findMailRoute(loadSettings({}, values));

/** Connects and logs in to the mail server. @returns the fault */
async function verifyMail(values: Values): Promise<string | undefined> {
  const route = routeOf(values);
  if (route === undefined) return undefined;
  const transport = await openTransport(route);
  const silence = { reason: `no answer within ${patience / 1000} s` };
  const failure = await inTime(transport.verify(), patience).catch(() => silence);
  transport.close();
  return failure && `The mail server cannot be used: ${failure.reason}`;
}

/** Sends a test mail, if the operator agrees. If that fails at a terminal, asks for another mail server. */
export async function tryMail(asking: Asking, options: SetupOptions, given: Values, address: string): Promise<Values> {
  for (let values = given; ; ) {
    const route = routeOf(values);
    const isWanted =
      route !== undefined &&
      (options.testMail ??
        /^y/i.test(await asking.find('testMail', `Send a test mail to ${address}?`, isYesOrNo, 'yes')));
    if (!isWanted) return values;
    const failure = await sendTestMail(route, values.APP_NAME ?? '', address);
    if (failure === undefined) {
      say(`The mail server took a mail to ${address}. If it does not arrive, see the log of that server.`);
      return values;
    }
    const message = `The mail server did not take the mail: ${failure.reason}`;
    if (options.mail !== undefined || !asking.isTerminal) throw new Misconfiguration(message);
    say(message);
    const { MAIL_URL: _, MAIL_FROM: __, ...others } = values;
    values = { ...others, ...(await askMail(asking, options, others)) };
  }
}

const isYesOrNo = (answer: string) => (/^(?:y|yes|n|no)$/i.test(answer) ? undefined : 'Answer yes or no.');
