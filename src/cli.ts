import { Command, CommanderError, Option } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { endsWithTerminal, hearSignals } from './commands/launcher.ts';
import type { SelftestArguments } from './commands/selftest.ts';
import { settingsHelp } from './config/describe.ts';
import { Misconfiguration } from './faults/misconfiguration.ts';
import { Unavailable } from './faults/unavailable.ts';
import { ChangeRefused } from './users/administration.ts';

/** Only this file ends the process. */
async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

function createProgram(): Command {
  const program = new Command('janua')
    .description('A self-hosted authentication server.')
    .version(manifest.version)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)');

  add(program, 'demo', 'serve on this machine only, with two built-in users')
    .addHelpText('after', settingsHelp)
    .action(async () => {
      hearSignals('SIGUSR2');
      await (await import('./commands/demo.ts')).demo().finally(endSoon);
    });
  add(program, 'serve', 'serve in production')
    // Only the primary passes it.
    .addOption(new Option('--worker').hideHelp())
    .addHelpText('after', settingsHelp)
    .action(async (options: { worker?: boolean }) => {
      if (!options.worker) hearSignals(...(endsWithTerminal ? [] : (['SIGHUP'] as const)), 'SIGUSR2');
      await (await import('./commands/serve.ts')).serve(options).finally(endSoon);
    });

  add(program, 'reload', 'replace the workers of a running server, one after the other')
    .argument('[pid]', 'which server, if several run here')
    .action(from(() => import('./commands/reload.ts'), 'reload'));

  add(program, 'migrate', "make Janua's tables in the database, or bring them up to date")
    .addHelpText('after', settingsHelp)
    .action(from(() => import('./commands/migrate.ts'), 'migrate'));
  add(program, 'backup', 'copy the SQLite file while servers use it')
    .argument('<file>', 'the copy; nothing may be there yet')
    .addHelpText('after', settingsHelp)
    .action(from(() => import('./commands/backup.ts'), 'backup'));
  const keys = add(program, 'keys', 'replace a key that Janua made for itself');
  add(keys, 'rotate', 'make a new key; what was signed with the old one ends')
    .argument('<name>', 'browser-cookie, audit-names or forward-auth')
    .action(from(() => import('./commands/keys.ts'), 'rotateKey'));

  add(program, 'doctor', 'look whether settings, stores and machine are as `serve` needs them; changes nothing')
    .option(...json)
    .addHelpText('after', settingsHelp)
    .action(async (options: { json?: boolean }) => {
      const { doctor } = await import('./commands/doctor.ts');
      if (!(await doctor(options))) process.exitCode = 1;
      endSoon();
    });
  add(program, 'config', 'show the settings as `serve` takes them, where each is from, and no password')
    .option(...json)
    .action(from(() => import('./commands/config.ts'), 'printConfiguration'));
  add(program, 'selftest', 'look at a running server from outside, proxies and all; harmless to a live one')
    .requiredOption('--against <url>', 'the address that people type')
    .option('--user <email>', 'a user made for it; the password is asked for, or read from standard input')
    .option('--throttle', 'give up to 12 wrong passwords too, for a made-up name; this address may have to wait then')
    .option('--ca <file>', 'certificates of an authority of your own')
    .option('--http-port <port>', 'where plain HTTP would be answered', '80')
    .option('--timeout <seconds>', 'longest that one request may take', '10')
    .option(...json)
    .action(async (options: SelftestArguments) => {
      const { selftest } = await import('./commands/selftest.ts');
      if (!(await selftest(options))) process.exitCode = 1;
    });

  const users = add(program, 'users', 'add, list and change users');
  const usersFile = () => import('./commands/users.ts');
  add(users, 'add <email>', 'add a user; the password is asked for, or read from standard input')
    .requiredOption('--first-name <name>')
    .requiredOption('--last-name <name>')
    .action(from(usersFile, 'addUser'));
  add(users, 'list', 'list all users')
    .option(...json)
    .action(from(usersFile, 'listUsers'));
  const setPassword = 'set a new password and end all sessions; asked for, or read from standard input';
  add(users, 'set-password <email>', setPassword).action(from(usersFile, 'setPassword'));
  add(users, 'disable <email>', 'keep a user out and end all sessions').action(from(usersFile, 'disableUser'));
  add(users, 'enable <email>', 'let a disabled user in again').action(from(usersFile, 'enableUser'));
  add(users, 'remove <email>', 'remove a user and end all sessions').action(from(usersFile, 'removeUser'));

  const sessions = add(program, 'sessions', 'list and end the sessions of a user');
  const sessionsFile = () => import('./commands/sessions.ts');
  const userId = ['--user-id <id>', 'in place of the address, for someone who is no longer a user'] as const;
  add(sessions, 'list [email]', 'list the living sessions of a user')
    .option(...userId)
    .option(...json)
    .action(from(sessionsFile, 'listSessions'));
  add(sessions, 'revoke <session>', 'end one session').action(from(sessionsFile, 'revokeSession'));
  add(sessions, 'revoke-all [email]', 'end all sessions of a user')
    .option(...userId)
    .action(from(sessionsFile, 'revokeAllSessions'));

  const throttle = add(program, 'throttle', 'show who has to wait after failed logins, and lift it');
  const throttleFile = () => import('./commands/throttle.ts');
  add(throttle, 'list', 'list all that failures were counted of')
    .option(...json)
    .action(from(throttleFile, 'listThrottle'));
  add(throttle, 'lift [email]', 'forget the failures of a user or a name, of an address, or all')
    .option('--address <address>', 'an IP address, as the list shows it')
    .option('--all', 'of everybody')
    .action(from(throttleFile, 'liftThrottle'));

  add(program, 'audit', 'show what was decided, newest last: logins, refusals, changes of users and sessions')
    .option('--since <time>', 'as 30m, 24h or 7d ago, or a time such as 2026-11-24T08:00Z')
    .option('--until <time>', 'the same')
    .option('--user <email>', 'a user, or a name that is no user, as it was typed')
    .option('--user-id <id>', 'in place of the address')
    .option('--kind <kind>', 'such as login-failed')
    .option('--address <address>', 'where it came from')
    .option('--limit <number>', 'the latest so many; 50 of the table, all of --json')
    .option(...json)
    .action(from(() => import('./commands/audit.ts'), 'audit'));
  add(program, 'explain', 'say why a request was refused, or let in')
    .argument('<request-id>', 'what the person who was refused has seen')
    .action(from(() => import('./commands/explain.ts'), 'explain'));
  return program;
}

const json = ['--json', 'one JSON object a line'] as const;

/** @param name of the command, followed by its arguments */
const add = (parent: Command, name: string, description: string): Command =>
  parent.command(name).description(description);

/** A stuck store, trace collector or log reader must not keep the process alive. */
function endSoon(): void {
  setTimeout(() => process.exit(), 500).unref();
}

/** A command whose file is loaded only when it runs. */
function from<Commands, Name extends keyof Commands>(load: () => Promise<Commands>, name: Name) {
  return async (...typed: unknown[]): Promise<void> => {
    const command = (await load())[name] as (...typed: unknown[]) => unknown;
    await command(...typed);
  };
}

/** Prints what went wrong, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof Misconfiguration) return complain(2, ...error.lines);
  if (error instanceof ChangeRefused) return complain(1, error.message);
  if (error instanceof Unavailable) {
    return complain(1, `${error.message}: ${reasonOf(error.cause)}.`);
  }
  return complain(70, `Unexpected: ${error instanceof Error ? error.message : String(error)}. Please report this.`);
}

/** A host with several addresses causes an error with a code but without a message. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'try again later';
  return (cause.message || String((cause as NodeJS.ErrnoException).code)).replace(/\.$/, '');
}

function complain(exitCode: number, ...lines: string[]): number {
  for (const line of lines) process.stderr.write(`${line}\n`);
  return exitCode;
}

// The program that reads our output may stop early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70));

await main();
