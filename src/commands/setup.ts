import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import type { Services } from '../compose.ts';
import { passwordFaults } from '../core/changes/new-users.ts';
import { openTransport } from '../core/mail/transport.ts';
import { createPasswordPolicy } from '../core/passwords/policy.ts';
import { admins } from '../core/users/scopes.ts';
import { canonicalUsername } from '../core/users/user.ts';
import { checkAdministrators } from '../doctor/administrators.ts';
import { explain } from '../doctor/fault-findings.ts';
import { loadSettings, requireSafeExposure } from '../ground/config/load.ts';
import { findMailRoute, type MailRoute } from '../ground/config/mail-server.ts';
import { sayCommand } from '../ground/config/own-command.ts';
import { readSettingsFile, useSettings, type Values, writeSettingsFile } from '../ground/config/settings-file.ts';
import { type OpenDatabase, openDatabase } from '../ground/database/database.ts';
import { hasEncrypted } from '../ground/database/encrypted.ts';
import { sql } from '../ground/database/kysely.ts';
import { inTime } from '../ground/faults/in-time.ts';
import { faultsOf, lineOf, Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';
import { Unavailable } from '../ground/faults/unavailable.ts';
import { canonicalMailAddress } from '../ground/text/mail-address.ts';
import { administer } from './administer.ts';
import { doctor } from './doctor.ts';
import { sendTestMail } from './mail.ts';
import { migrate } from './migrate.ts';
import { askNewPassword, openQuestions, type Questions } from './read-password.ts';
import { type Account, requireKeyFolder, requireWritable, takeAccount } from './service-account.ts';

/** Each answers a question, which is then not asked. */
interface SetupOptions {
  readonly name?: string;
  readonly publicUrl?: string;
  readonly database?: string;
  readonly databasePasswordFile?: string;
  readonly mail?: string;
  readonly mailPasswordFile?: string;
  readonly mailFrom?: string;
  readonly admin?: string;
  readonly firstName?: string;
  readonly lastName?: string;
  readonly adminPasswordFile?: string;
  readonly testMail?: boolean;
  readonly settingsFile: string;
  readonly keyFile?: string;
  readonly account: string;
}

interface Person {
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly password: string;
}

/** Milliseconds that the database, the mail server and a name server may take. */
const patience = 8_000;

const serviceFolder = '/var/lib/janua';

/**
 * Asks for everything before it changes anything. A run that was interrupted goes on with the settings that it has written. No file is
 * ever replaced.
 * @returns whether `janua doctor` finds nothing wrong
 */
export async function setup(options: SetupOptions): Promise<boolean> {
  const { settingsFile } = options;
  const account = takeAccount(options.account);
  const known = readSettingsFile(settingsFile);
  if (known === undefined) requireWritable(settingsFile);
  account.become();
  using questions = openQuestions();
  const asking = createAsking(questions, options, account);
  let values = known;
  if (known !== undefined)
    say(`${settingsFile} exists: its settings are used, and not changed. Edit it, or move it away to be asked again.`);
  values ??= await askSettings(asking, options);
  const person = (await needsAdministrator(known)) ? await askPerson(asking, values) : undefined;
  if (known === undefined) {
    if (person !== undefined) values = await tryMail(asking, options, values, person.username);
    const written = values;
    account.asRoot(() => writeSettingsFile(settingsFile, written));
    say(`The settings are in ${settingsFile}.`);
  }
  // In this folder they are those of the service.
  useSettings({ ...values, ...(settingsFile.startsWith('/etc/janua/') && { JANUA_COMMAND: 'janua-admin' }) });
  const missing = ['tables', 'encryption key', ...(person === undefined ? [] : ['administrator'])];
  const done = ['settings'];
  const finish = () => void done.push(...missing.splice(0, 1));
  try {
    await migrate();
    finish();
    await administer('janua setup', async (services) => {
      const { cipher, database } = services;
      await cipher.prepare(async () => !(await hasEncrypted(database)));
      finish();
      return sayCommand(`There is an encryption key${await addAdministrator(services, person, options.admin)}`);
    });
  } catch (error) {
    say(
      `Done: ${done.join(', ')}. Missing: ${missing.join(', ')}. Correct what follows, and run the same command again.`,
    );
    throw error;
  }
  const isSound = await doctor({});
  process.stdout.write(nextSteps(values));
  return isSound;
}

/** Changes no user who is there. @returns how to go on after the encryption key */
async function addAdministrator(
  { administration, users }: Services,
  person: Person | undefined,
  named: string | undefined,
): Promise<string> {
  const username = person?.username ?? named?.trim();
  if (username === undefined) return ', and an administrator.';
  const found = await users.findByUsername(canonicalUsername(username));
  if (found?.user.groups.includes(admins)) return `. ${username} is an administrator already, and is not changed.`;
  if (found !== undefined)
    return `. ${username} is a user already, and no administrator. To change that: npx janua users groups ${username} --add admins`;
  if (person === undefined)
    return `, and an administrator. ${username} was not added: npx janua users add ${username} --first-name NAME --last-name NAME --group admins`;
  await administration.add({ ...person, groups: [admins], verified: true });
  return `, and the administrator ${username}.`;
}

function nextSteps({ DATABASE_URL = '' }: Values): string {
  const isFile = DATABASE_URL.startsWith('sqlite:');
  const timer = isFile ? ' janua-backup.timer' : '';
  return [
    '\nNext, with the files of deploy/ in place (docs/deployment.md):',
    `  sudo systemctl enable --now janua${timer}`,
    '  Set up the proxy. Then open the address, and sign in as the administrator.',
    ...(isFile ? [] : ['  Back up the database every day, with pg_dump or mariadb-dump.']),
    '  Back up the encryption key, apart from the database.\n',
  ].join('\n');
}

type Asking = ReturnType<typeof createAsking>;

/** Gives what is wrong with an answer, or undefined. */
type CheckAnswer = (answer: string) => string | undefined | Promise<string | undefined>;

function createAsking(questions: Questions, options: SetupOptions, { asRoot }: Account) {
  const { ask, askSecret, isTerminal } = questions;
  const lastAnswers = new Map<string, string>();

  /** Asks until the answer is sound, and offers the last one. An option, or a line of standard input, has one try. */
  async function find(name: keyof SetupOptions, question: string, check: CheckAnswer, usual = ''): Promise<string> {
    const given = options[name];
    for (;;) {
      const offered = lastAnswers.get(name) ?? usual;
      const shown = offered === '' ? `${question}: ` : `${question} [${offered}]: `;
      const typed = given === undefined ? await ask(isTerminal ? shown : optionOf(name)) : String(given);
      const answer = typed.trim() || offered;
      if (!withPassword.test(answer)) lastAnswers.set(name, answer);
      const fault = await check(answer);
      if (fault === undefined) return answer;
      if (given !== undefined || !isTerminal) throw new Misconfiguration(`${optionOf(name)}: ${fault}`);
      say(fault);
    }
  }

  return {
    find,
    isTerminal,

    /** Reads the file of an option, which root alone may be able to read, or asks. */
    async findSecret(name: keyof SetupOptions, askFor: () => Promise<string>): Promise<string> {
      const file = options[name];
      return file === undefined ? askFor() : asRoot(() => readSecret(String(file), optionOf(name)));
    },

    questions,
    askSecret,
  };
}

const optionOf = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function readSecret(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new Misconfiguration(`${option}: the file cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

async function askSettings(asking: Asking, options: SetupOptions): Promise<Values> {
  const { find } = asking;
  const name = await find('name', 'Name of the site', (text) => faultOf('APP_NAME', { APP_NAME: text }), 'Janua');
  const publicUrl = await find('publicUrl', 'Address that users open, such as https://auth.example.com', checkAddress);
  const databaseUrl = await askDatabase(asking, options);
  const isServer = !databaseUrl.startsWith('sqlite:');
  const keyFile = options.keyFile ?? (isServer ? `${serviceFolder}/janua.encryption-key` : undefined);
  if (keyFile !== undefined) requireKeyFolder(keyFile);
  const values = {
    APP_NAME: name,
    PUBLIC_URL: new URL(publicUrl).origin,
    // The proxy is on the same machine, because Janua listens there alone.
    TRUSTED_PROXIES: '127.0.0.1',
    DATABASE_URL: databaseUrl,
    ...(keyFile !== undefined && { ENCRYPTION_KEY_FILE: keyFile }),
  };
  return { ...values, ...(await askMail(asking, options, values)) };
}

/** Gives the fault of `janua serve` with these settings, if it is about the named one. */
function faultOf(name: string, values: Values): string | undefined {
  const faults = faultsOf(() => requireSafeExposure(loadSettings({}, values), 'serve'));
  const fault = faults.find(({ message }) => message.startsWith(name));
  return fault && lineOf(fault);
}

async function checkAddress(url: string): Promise<string | undefined> {
  if (url === '') return 'PUBLIC_URL must be set to the https address that browsers use.';
  const fault = faultOf('PUBLIC_URL', { PUBLIC_URL: url });
  if (fault !== undefined) return fault;
  const { hostname } = new URL(url);
  const isKnown = await inTime(lookup(hostname.replace(/^\[|\]$/g, '')), patience).then(
    () => true,
    () => false,
  );
  if (!isKnown) say(`Note: no address is known for ${hostname} yet. Browsers need one.`);
  return undefined;
}

/** An account without a password, in a URL: postgres://ACCOUNT@HOST/DATABASE. */
const accountAlone = /^([a-z]+:\/\/[^/@:?#]+)@/;
const withPassword = /^[a-z]+:\/\/[^/@?#]*:[^/@?#]+@|[?&]pass(?:word)?=/i;
const asArgument = 'The password must not be in an argument, which every process could read. Put it into a file.';

async function askDatabase({ find, findSecret, askSecret }: Asking, options: SetupOptions): Promise<string> {
  let complete = '';
  async function check(url: string): Promise<string | undefined> {
    if (options.database !== undefined && withPassword.test(url)) return asArgument;
    complete = url;
    if (accountAlone.test(url)) {
      const ask = () => askSecret('Password of the database, empty for none: ');
      complete = addPassword(url, await findSecret('databasePasswordFile', ask));
    }
    return checkDatabase(complete);
  }
  const question = 'Database: sqlite:PATH, or such as postgres://ACCOUNT@HOST/DATABASE';
  await find('database', question, check, `sqlite:${serviceFolder}/janua.db`);
  return complete;
}

const addPassword = (url: string, password: string) =>
  password === '' ? url : url.replace(accountAlone, (_, start) => `${start}:${encodeURIComponent(password)}@`);

/** Connects, and makes a table. */
async function checkDatabase(url: string): Promise<string | undefined> {
  const seconds = patience / 1000;
  try {
    const opened = await openDatabase(url, { connections: 1, timeoutMilliseconds: patience, watch: unwatched });
    await using closing = new AsyncDisposableStack();
    closing.defer(() => opened.database.destroy());
    await opened.check();
    return await tryTable(opened);
  } catch (error) {
    if (error instanceof Misconfiguration) return error.message;
    const [fault] = explain(error, { DATABASE_URL: url, STORE_TIMEOUT_SECONDS: seconds });
    return fault && `${fault.message} ${inTermsOfAnswers(fault.fix ?? '')}`;
  }
}

/** The setting is made of an address without a password, and of the password. */
const inTermsOfAnswers = (fix: string) =>
  fix
    .replace(/USER:PASSWORD in DATABASE_URL \(.*?\)/, 'the account or its password')
    .replace('DATABASE_URL', 'the address');

async function tryTable({ database }: OpenDatabase): Promise<string | undefined> {
  const table = sql.table(`janua_setup_${randomBytes(6).toString('hex')}`);
  try {
    await sql`create table ${table} (id integer)`.execute(database);
    await sql`drop table ${table}`.execute(database);
    return undefined;
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    return `The account may not create tables (${(error as Error).message}). Grant it that right, or make it the owner of the database.`;
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

/** Connects to the mail server, and logs in. */
async function verifyMail(values: Values): Promise<string | undefined> {
  const route = routeOf(values);
  if (route === undefined) return undefined;
  const transport = await openTransport(route);
  const silence = { reason: `no answer within ${patience / 1000} s` };
  const failure = await inTime(transport.verify(), patience).catch(() => silence);
  transport.close();
  return failure && `The mail server cannot be used: ${failure.reason}`;
}

/** Sends a test mail if it is wanted. At a terminal, it asks for another mail server if that fails. */
async function tryMail(asking: Asking, options: SetupOptions, given: Values, address: string): Promise<Values> {
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

/** Whether there is none yet. A team's own table gets no users from here. @param values of a run before, if there was one */
async function needsAdministrator(values: Values | undefined): Promise<boolean> {
  if (values === undefined) return true;
  const settings = loadSettings({}, values);
  if (settings.USERS_TABLE !== undefined) return false;
  const options = { connections: 1, timeoutMilliseconds: patience, watch: unwatched };
  const opened = await openDatabase(settings.DATABASE_URL, options);
  try {
    const { value } = await checkAdministrators(opened, settings).next();
    return value?.state !== 'ok';
  } catch (error) {
    // Without tables there is no user. `migrate` reports any other fault.
    return !(error instanceof Unavailable);
  } finally {
    await opened.database.destroy();
  }
}

async function askPerson(asking: Asking, values: Values): Promise<Person> {
  const { find, findSecret, questions } = asking;
  const checkEmail = (text: string) =>
    canonicalMailAddress(text.toLowerCase()) === undefined
      ? 'It must be one address, such as ann@example.com.'
      : undefined;
  const checkName = (text: string) => (text === '' ? 'It must not be empty.' : undefined);
  const username = await find('admin', 'E-mail address of the first administrator', checkEmail);
  const firstName = await find('firstName', 'First name', checkName);
  const lastName = await find('lastName', 'Last name', checkName);
  const appName = values.APP_NAME ?? 'Janua';
  const policy = createPasswordPolicy({ appName, breached: 'list', log: { warn() {} } });
  const findFault = (text: string) => policy.findFault(text, { username, firstName, lastName });
  const name = 'adminPasswordFile';
  const password = await findSecret(name, () => askNewPassword(questions, findFault));
  // A file, or a line of standard input, has one try.
  const fault = await findFault(password);
  if (fault !== undefined) throw new Misconfiguration(`${optionOf(name)}: ${passwordFaults[fault.code]}`);
  return { username, firstName, lastName, password };
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
