import { Command, CommanderError, Option } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { endsWithTerminal, hearSignals } from './commands/launcher.ts';
import type { SelftestArguments } from './commands/selftest.ts';
import { settingsHelp } from './config/describe.ts';
import { Misconfiguration } from './faults/misconfiguration.ts';
import { Unavailable } from './faults/unavailable.ts';
import { ChangeRefused } from './users/administration.ts';

/** The only file that ends the process. */
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

  program
    .command('demo')
    .description('serve on this machine only, with two built-in users')
    .addHelpText('after', settingsHelp)
    .action(async () => {
      hearSignals('SIGUSR2');
      await (await import('./commands/demo.ts')).demo().finally(endSoon);
    });
  program
    .command('serve')
    .description('serve in production')
    // For the primary alone.
    .addOption(new Option('--worker').hideHelp())
    .addHelpText('after', settingsHelp)
    .action(async (options: { worker?: boolean }) => {
      if (!options.worker) hearSignals(...(endsWithTerminal ? [] : (['SIGHUP'] as const)), 'SIGUSR2');
      await (await import('./commands/serve.ts')).serve(options).finally(endSoon);
    });

  program
    .command('migrate')
    .description("make Janua's tables in the database, or bring them up to date")
    .addHelpText('after', settingsHelp)
    .action(from(() => import('./commands/migrate.ts'), 'migrate'));

  program
    .command('backup')
    .description('copy the SQLite file while servers use it')
    .argument('<file>', 'the copy; nothing may be there yet')
    .addHelpText('after', settingsHelp)
    .action(from(() => import('./commands/backup.ts'), 'backup'));
  program
    .command('keys')
    .description('replace a key that Janua made for itself')
    .command('rotate')
    .description('make a new key; what was signed with the old one ends')
    .argument('<name>', 'browser-cookie, audit-names or forward-auth')
    .action(from(() => import('./commands/keys.ts'), 'rotateKey'));

  program
    .command('doctor')
    .description('look whether settings, stores and machine are as `serve` needs them; changes nothing')
    .option('--json', 'one JSON object a line')
    .addHelpText('after', settingsHelp)
    .action(async (options: { json?: boolean }) => {
      const { doctor } = await import('./commands/doctor.ts');
      if (!(await doctor(options))) process.exitCode = 1;
      endSoon();
    });

  program
    .command('config')
    .description('show the settings as `serve` takes them, where each is from, and no password')
    .option('--json', 'one JSON object a line')
    .action(from(() => import('./commands/config.ts'), 'printConfiguration'));

  program
    .command('selftest')
    .description('look at a running server from outside, proxies and all; harmless to a live one')
    .requiredOption('--against <url>', 'the address that people type')
    .option('--user <email>', 'a user made for it; the password is asked for, or read from standard input')
    .option('--throttle', 'give up to 12 wrong passwords too, for a made-up name; this address may have to wait then')
    .option('--ca <file>', 'certificates of an authority of your own')
    .option('--http-port <port>', 'where plain HTTP would be answered', '80')
    .option('--timeout <seconds>', 'longest that one request may take', '10')
    .option('--json', 'one JSON object a line')
    .action(async (options: SelftestArguments) => {
      const { selftest } = await import('./commands/selftest.ts');
      if (!(await selftest(options))) process.exitCode = 1;
    });

  const users = program.command('users').description('add, list and change users');
  users
    .command('add')
    .description('add a user; the password is asked for, or read from standard input')
    .argument('<email>')
    .requiredOption('--first-name <name>')
    .requiredOption('--last-name <name>')
    .action(from(() => import('./commands/users.ts'), 'addUser'));
  users
    .command('list')
    .description('list all users')
    .option('--json', 'one JSON object a line')
    .action(from(() => import('./commands/users.ts'), 'listUsers'));
  users
    .command('set-password')
    .description('set a new password and end all sessions; asked for, or read from standard input')
    .argument('<email>')
    .action(from(() => import('./commands/users.ts'), 'setPassword'));
  users
    .command('disable')
    .description('keep a user out and end all sessions')
    .argument('<email>')
    .action(from(() => import('./commands/users.ts'), 'disableUser'));
  users
    .command('enable')
    .description('let a disabled user in again')
    .argument('<email>')
    .action(from(() => import('./commands/users.ts'), 'enableUser'));
  users
    .command('remove')
    .description('remove a user and end all sessions')
    .argument('<email>')
    .action(from(() => import('./commands/users.ts'), 'removeUser'));

  const sessions = program.command('sessions').description('list and end the sessions of a user');
  const userId = ['--user-id <id>', 'in place of the address, for someone who is no longer a user'] as const;
  sessions
    .command('list')
    .description('list the living sessions of a user')
    .argument('[email]')
    .option(...userId)
    .option('--json', 'one JSON object a line')
    .action(from(() => import('./commands/sessions.ts'), 'listSessions'));
  sessions
    .command('revoke')
    .description('end one session')
    .argument('<session>')
    .action(from(() => import('./commands/sessions.ts'), 'revokeSession'));
  sessions
    .command('revoke-all')
    .description('end all sessions of a user')
    .argument('[email]')
    .option(...userId)
    .action(from(() => import('./commands/sessions.ts'), 'revokeAllSessions'));

  const throttle = program.command('throttle').description('show who has to wait after failed logins, and lift it');
  throttle
    .command('list')
    .description('list all that failures were counted of')
    .option('--json', 'one JSON object a line')
    .action(from(() => import('./commands/throttle.ts'), 'listThrottle'));
  throttle
    .command('lift')
    .description('forget the failures of a user or a name, of an address, or all')
    .argument('[email]')
    .option('--address <address>', 'an IP address, as the list shows it')
    .option('--all', 'of everybody')
    .action(from(() => import('./commands/throttle.ts'), 'liftThrottle'));

  program
    .command('audit')
    .description('show what was decided, newest last: logins, refusals, changes of users and sessions')
    .option('--since <time>', 'as 30m, 24h or 7d ago, or a time such as 2026-11-24T08:00Z')
    .option('--until <time>', 'the same')
    .option('--user <email>', 'a user, or a name that is no user, as it was typed')
    .option('--user-id <id>', 'in place of the address')
    .option('--kind <kind>', 'such as login-failed')
    .option('--address <address>', 'where it came from')
    .option('--limit <number>', 'the latest so many; 50 of the table, all of --json')
    .option('--json', 'one JSON object a line')
    .action(from(() => import('./commands/audit.ts'), 'audit'));
  program
    .command('explain')
    .description('say why a request was refused, or let in')
    .argument('<request-id>', 'what the person who was refused has seen')
    .action(from(() => import('./commands/explain.ts'), 'explain'));
  return program;
}

/** A store or a collector that stopped answering, or a reader of the log, must not keep the process. */
function endSoon(): void {
  setTimeout(() => process.exit(), 500).unref();
}

/** A command of a file that is loaded only when it is run: one of them needs nearly every part, and most need few. */
function from<Commands, Name extends keyof Commands>(load: () => Promise<Commands>, name: Name) {
  return async (...typed: unknown[]): Promise<void> => {
    const command = (await load())[name] as (...typed: unknown[]) => unknown;
    await command(...typed);
  };
}

/** Says in plain lines what went wrong, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof Misconfiguration) return complain(2, ...error.lines);
  if (error instanceof ChangeRefused) return complain(1, error.message);
  if (error instanceof Unavailable) {
    return complain(1, `${error.message}: ${reasonOf(error.cause)}.`);
  }
  return complain(70, `Unexpected: ${error instanceof Error ? error.message : String(error)}. Please report this.`);
}

/** A host with several addresses gives an error without a message, only with a code. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'try again later';
  return (cause.message || String((cause as NodeJS.ErrnoException).code)).replace(/\.$/, '');
}

function complain(exitCode: number, ...lines: string[]): number {
  for (const line of lines) process.stderr.write(`${line}\n`);
  return exitCode;
}

// Whoever reads a list may stop reading, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70));

await main();
