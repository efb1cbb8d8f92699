// Makes a sample table of employees, to try Janua with a table of your own (docs/own-table.md).
import { parseArgs } from 'node:util';
import { demoPassword, demoUsers } from '../../src/commands/demo-users.ts';
import { openDatabase } from '../../src/ground/database/database.ts';
import { Misconfiguration } from '../../src/ground/faults/misconfiguration.ts';
import { unwatched } from '../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../src/ground/faults/unavailable.ts';
import { fewestPeople, inventPeople, mostPeople } from './people.ts';
import { createProgress } from './progress.ts';
import { makeTable } from './table.ts';

/** Longest duration of the connection and of the first statements, in milliseconds. */
const patience = 10_000;

const number = new Intl.NumberFormat('en');

const usage = `DATABASE_URL=… npm run employees -- [options]

  --people N   number of people, ${number.format(fewestPeople)} to ${number.format(mostPeople)} [${number.format(mostPeople)}]

Makes the table employees in the database that DATABASE_URL names, and fills it with invented people.
`;

const interruption = new AbortController();

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());
  try {
    const { help, people } = readOptions(process.argv.slice(2));
    process.stdout.write(help ? usage : await make(requireUrl(), people));
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Returns the next steps for the user. */
async function make(url: string, count: number): Promise<string> {
  const opened = await openDatabase(url, { connections: 1, timeoutMilliseconds: patience, watch: unwatched });
  const progress = createProgress(count, process.stderr);
  try {
    await makeTable(opened, inventPeople(count), { signal: interruption.signal, onProgress: progress.advance });
  } finally {
    progress.end();
    await opened.database.destroy();
  }
  return nextSteps(count);
}

/** @throws {Misconfiguration} for an unknown option or an invalid number */
function readOptions(args: string[]): { readonly help: boolean; readonly people: number } {
  const { help, people } = parse(args);
  const count = people === undefined ? mostPeople : Number(people);
  if (Number.isInteger(count) && count >= fewestPeople && count <= mostPeople) return { help, people: count };
  throw new Misconfiguration(
    `--people must be a whole number from ${number.format(fewestPeople)} to ${number.format(mostPeople)}.`,
  );
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: { help: { type: 'boolean', default: false }, people: { type: 'string' } } })
      .values;
  } catch (error) {
    throw new Misconfiguration(error instanceof Error ? error.message : String(error));
  }
}

/** There is no default, so that invented people cannot get into the server's own file by mistake. */
function requireUrl(): string {
  const url = process.env.DATABASE_URL?.trim();
  if (url) return url;
  throw new Misconfiguration(
    'DATABASE_URL must name the database for the table, as in: DATABASE_URL=sqlite:./data/employees.db npm run employees',
  );
}

function nextSteps(count: number): string {
  return `
  The table employees has ${number.format(count)} people. Next, with the same DATABASE_URL:

    export USERS_TABLE=employees
    export USERS_COLUMNS=id=emp_no,username=email,password=password,first_name=first_name,last_name=last_name
    ./bin/janua migrate
    ./bin/janua serve

  Sign in as  ${demoUsers.map(({ username }) => username).join('\n          or  ')}
    password  ${demoPassword}

`;
}

/** Prints the error, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof Misconfiguration) return complain(2, ...error.lines);
  if (interruption.signal.aborted) return complain(130, 'Interrupted: the table employees was not made.');
  if (error instanceof Unavailable)
    return complain(2, `DATABASE_URL: the database cannot be used (${reasonOf(error.cause)}).`);
  return complain(70, `Unexpected: ${reasonOf(error)}. Please report this.`);
}

/** A host with several addresses has one error for each of them, and no common message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

function complain(exitCode: number, ...lines: string[]): number {
  for (const line of lines) process.stderr.write(`${line}\n`);
  return exitCode;
}

await main();
