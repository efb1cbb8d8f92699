import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sql } from '../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { startMariadb } from '../servers/mariadb.ts';
import { missing } from '../servers/missing.ts';
import { startPostgres } from '../servers/postgres.ts';
import { atProcessEnd, createTemporaryFolder } from '../servers/process-end.ts';
import { signalTree } from '../servers/process-tree.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Milliseconds within which the server of the commands must be ready. */
const patience = 60_000;

/** The blocks of commands below a heading, in order. */
async function commandsOf(file: string, heading: string): Promise<string[]> {
  const text = await readFile(`${root}${file}`, 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/```bash\n(.*?)```/gs)].map(([, commands]) => commands ?? '');
}

const [team = '', server = '', postgresCommands = '', sqliteCommands = '', request = ''] = await commandsOf(
  'docs/own-table.md',
  'Try it',
);
const mariadbCommands = team + server;

/** Runs commands in the project's folder. The last one starts a server. Gives its port. */
async function follow(commands: string) {
  const home = createTemporaryFolder('home');
  const { PATH = '' } = process.env;
  const env = { PATH, HOME: home.path, PORT: '0', DRAIN_SECONDS: '0', npm_config_update_notifier: 'false' };
  const script = commands
    .replaceAll(/^sudo apt .*\n/gm, '')
    .replaceAll('npm run employees', 'npm run employees -- --people 1000')
    .replaceAll('sqlite:./data', `sqlite:${home.path}`);
  assert.doesNotMatch(script, /sudo/);
  const shell = spawn('bash', ['-e', '-c', script], { cwd: root, env, timeout: patience });
  const exited = once(shell, 'exit');
  const end = () => {
    if (shell.pid !== undefined && shell.exitCode === null) signalTree(shell.pid, 'SIGKILL');
    home.remove();
  };
  const forget = atProcessEnd(end);
  let output = '';
  shell.stderr.on('data', (chunk) => {
    output += chunk;
  });

  async function becomeReady(): Promise<string> {
    for await (const line of createInterface({ input: shell.stdout })) {
      output += `${line}\n`;
      const port = /"port":(\d+).*"msg":"ready"/.exec(line)?.[1];
      if (port !== undefined) return port;
    }
    throw new Error(`the commands ended:\n${output}`);
  }

  return {
    port: await becomeReady(),
    output,
    /** The folder that replaces `data/` in the commands. */
    folder: home.path,
    async [Symbol.asyncDispose]() {
      end();
      forget();
      await exited;
    },
  };
}

/** Runs the last block of the page. Compares its output with the page, and expects a new hash in the table. */
async function requireSignIn(port: string, databaseUrl: string): Promise<void> {
  const commands = request.replaceAll('localhost:5000', `127.0.0.1:${port}`);
  const { stdout } = await promisify(execFile)('bash', ['-e', '-c', commands]);
  const [, printed] = /^# (.*)$/m.exec(request) ?? [];
  assert.equal(stdout.trim(), printed);
  await using opened = await openTestDatabase(databaseUrl);
  const { rows } = await sql<{ password: string }>`select password from employees where emp_no = 10198`.execute(
    opened.database,
  );
  assert.match(rows[0]?.password ?? '', /^\$argon2id\$v=19\$m=19456,/);
}

const complaint = /users_table|"level":(?:40|50|60)/;

test('the commands for MariaDB, as printed, sign in an employee', { skip: missing('MariaDB') }, async () => {
  // As distributions start it: connections from this machine count as localhost.
  await using mariadb = await startMariadb({ args: ['--skip-name-resolve=0'] });
  const client = `mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --port=${mariadb.port} --user=root`;
  await using server = await follow(
    mariadbCommands.replaceAll('sudo mariadb', client).replaceAll('@localhost/', `@localhost:${mariadb.port}/`),
  );
  assert.doesNotMatch(server.output, complaint);
  await requireSignIn(server.port, mariadb.url.replace(/\w+$/, 'staff'));
});

test('the commands for PostgreSQL, as printed, sign in an employee', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using postgres = await startPostgres();
  const client = `psql --host=127.0.0.1 --port=${postgres.port} --username=postgres`;
  const address = `@127.0.0.1:${postgres.port}/`;
  await using server = await follow(
    postgresCommands.replaceAll('sudo -u postgres psql', client).replaceAll('@localhost/', address),
  );
  assert.doesNotMatch(server.output, complaint);
  await requireSignIn(server.port, postgres.url.replace(/\w+$/, 'staff'));
});

test('the commands for SQLite, as printed, sign in an employee', async () => {
  await using server = await follow(sqliteCommands);
  assert.doesNotMatch(server.output, complaint);
  await requireSignIn(server.port, `sqlite:${server.folder}/employees.db`);
});
