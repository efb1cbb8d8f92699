import { resolve } from 'node:path';
import type { Services } from '../compose.ts';
import { passwordFaults } from '../core/changes/new-users.ts';
import { createPasswordPolicy } from '../core/passwords/policy.ts';
import { admins } from '../core/users/scopes.ts';
import { canonicalUsername } from '../core/users/user.ts';
import { checkAdministrators } from '../doctor/administrators.ts';
import { loadSettings } from '../ground/config/load.ts';
import { originOf } from '../ground/config/origin.ts';
import { adminCommand, commandWith, withOwnCommand } from '../ground/config/own-command.ts';
import {
  linesOf,
  readSettingsFile,
  useSettings,
  type Values,
  writeSettingsFile,
} from '../ground/config/settings-file.ts';
import { openDatabase } from '../ground/database/database.ts';
import { hasEncrypted } from '../ground/database/encrypted.ts';
import { faultsOf, Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';
import { Unavailable } from '../ground/faults/unavailable.ts';
import { canonicalMailAddress } from '../ground/text/mail-address.ts';
import { administer } from './administer.ts';
import { askSettings, isNewFile, patience, tryMail, withAbsolutePath } from './ask-settings.ts';
import { type Asking, createAsking, optionOf, type SetupOptions, say } from './asking.ts';
import { doctor } from './doctor.ts';
import { migrate } from './migrate.ts';
import { askNewPassword, openQuestions } from './read-password.ts';
import { requireWritable, takeAccount } from './service-account.ts';

interface Person {
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly password: string;
}

/**
 * Sets up a server. Asks all questions before it changes anything. After an interrupted run, the next run uses the settings file that the
 * first one wrote. No run replaces a file.
 * @returns whether `janua doctor` finds nothing wrong
 */
export async function setup(options: SetupOptions): Promise<boolean> {
  const { settingsFile } = options;
  const account = takeAccount(options.account);
  const known = readSettingsFile(settingsFile);
  if (known === undefined) requireWritable(settingsFile);
  else requireSame(options, known);
  account.become();
  using questions = openQuestions();
  const asking = createAsking(questions, options, account);
  const command = commandWith(settingsFile);
  let values = known;
  if (known !== undefined)
    say(`${settingsFile} exists: its settings are used, and not changed. Edit it, or move it away to be asked again.`);
  values ??= await askSettings(asking, options);
  const person = (await needsAdministrator(known)) ? await askPerson(asking, options, values) : undefined;
  if (known === undefined) {
    if (person !== undefined) values = await tryMail(asking, options, values, person.username);
    const written = { ...values, ...nameOf(command) };
    account.asRoot(() => writeSettingsFile(settingsFile, written));
    say(`The settings are in ${settingsFile}.`);
  }
  useSettings({ ...values, JANUA_COMMAND: command });
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
      return withOwnCommand(`There is an encryption key${await addAdministrator(services, person, options.admin)}`);
    });
  } catch (error) {
    say(
      `Done: ${done.join(', ')}. Missing: ${missing.join(', ')}. Correct what follows, and run the same command again.`,
    );
    throw error;
  }
  const isSound = await doctor({});
  process.stdout.write(nextSteps(command, values, account.isOther ? options : undefined));
  return isSound;
}

/**
 * Returns the setting with the command that later advice names. Empty if the file cannot hold the command, and for `janua-admin`, which
 * sets the command itself.
 */
function nameOf(command: string): Values {
  const named = { JANUA_COMMAND: command };
  return command === adminCommand || faultsOf(() => linesOf(named)).length > 0 ? {} : named;
}

const settingOf = {
  name: 'APP_NAME',
  publicUrl: 'PUBLIC_URL',
  database: 'DATABASE_URL',
  keyFile: 'ENCRYPTION_KEY_FILE',
  mail: 'MAIL_URL',
  mailFrom: 'MAIL_FROM',
} as const satisfies Partial<Record<keyof SetupOptions, string>>;

const plain = (text: string) => originOf(text) ?? text.replace(/^([a-z]+:\/\/[^/@:?#]+):[^/@]*@/, '$1@');

/** @throws {Misconfiguration} if an option differs from the setting in the file. Passwords are not compared */
function requireSame(options: SetupOptions, known: Values): void {
  const names = Object.keys(settingOf) as (keyof typeof settingOf)[];
  const others = names.filter((name) => {
    const given = options[name]?.trim();
    const isTaken = name !== 'mailFrom' || options.mail !== 'none';
    const compared = (value: string) => (name === 'keyFile' ? resolve(value) : plain(withAbsolutePath(value)));
    return given && isTaken && compared(given) !== compared(known[settingOf[name]] ?? 'none');
  });
  if (others.length === 0) return;
  throw new Misconfiguration({
    message: `${options.settingsFile} exists, and says something else than ${others.map(optionOf).join(', ')}.`,
    fix: 'Leave these options out to use it, edit it, or move it away.',
  });
}

/** Adds the administrator. Existing users stay as they are. @returns the end of the sentence about the encryption key */
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
    return `. ${username} is a user already, and no administrator. To change that: ./bin/janua users groups ${username} --add admins`;
  if (person === undefined)
    return `, and an administrator. ${username} was not added: ./bin/janua users add ${username} --first-name NAME --last-name NAME --group admins`;
  await administration.add({ ...person, groups: [admins], verified: true });
  return `, and the administrator ${username}.`;
}

/**
 * Explains the next steps.
 * @param command the command that reads the settings file, such as `janua-admin`
 * @param asRoot the options, if root has set up the server for another account
 */
export function nextSteps(command: string, { DATABASE_URL = '', PORT }: Values, asRoot?: SetupOptions): string {
  const isFile = DATABASE_URL.startsWith('sqlite:');
  const timer = isFile ? ' janua-backup.timer' : '';
  const unit =
    asRoot === undefined
      ? []
      : [
          '  It runs as root, which is for a first look. For good, use deploy/janua.service with',
          `  EnvironmentFile=${resolve(asRoot.settingsFile)} and User=${asRoot.account}.`,
        ];
  const start =
    command === adminCommand
      ? [
          '\nNext, with the files of deploy/ in place (docs/deployment.md):',
          `  sudo systemctl enable --now janua${timer}`,
        ]
      : ['\nNext. Begin every command like this one, which reads your settings:', `  ${command} serve`, ...unit];
  return [
    ...start,
    `  ${PORT === undefined ? 'Set up the proxy. Then open' : 'Open'} the address, and sign in as the administrator.`,
    ...(isFile ? [] : ['  Back up the database every day, with pg_dump or mariadb-dump.']),
    '  Back up the encryption key, apart from the database.\n',
  ].join('\n');
}

/**
 * Tells whether setup adds an administrator: the database has none, and users are not in a team's own table.
 * @param values settings of an earlier run
 */
async function needsAdministrator(values: Values | undefined): Promise<boolean> {
  if (values === undefined) return true;
  const settings = loadSettings({}, values);
  if (settings.USERS_TABLE !== undefined) return false;
  if (isNewFile(settings.DATABASE_URL)) return true;
  const options = { connections: 1, timeoutMilliseconds: patience, watch: unwatched };
  const opened = await openDatabase(settings.DATABASE_URL, options);
  try {
    const { value } = await checkAdministrators(opened, settings).next();
    return value?.state !== 'ok';
  } catch (error) {
    // Without tables there is no administrator. `migrate` reports any other fault.
    return !(error instanceof Unavailable);
  } finally {
    await opened.database.destroy();
  }
}

async function askPerson(asking: Asking, options: SetupOptions, values: Values): Promise<Person> {
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
  // A password from a file or from standard input has one try.
  const fault = await findFault(password);
  const source = options[name] === undefined ? `Standard input, without ${optionOf(name)}` : optionOf(name);
  if (fault !== undefined) throw new Misconfiguration(`${source}: ${passwordFaults[fault.code]}`);
  return { username, firstName, lastName, password };
}
