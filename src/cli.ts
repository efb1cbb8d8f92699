import { CommanderError } from 'commander';
import { endSoon } from './commands/command.ts';
import { createProgram } from './commands/program.ts';
import { ChangeRefused } from './core/users/change-refused.ts';
import { withOwnCommand } from './ground/config/own-command.ts';
import { Misconfiguration } from './ground/faults/misconfiguration.ts';
import { Unavailable } from './ground/faults/unavailable.ts';

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode;
  if (error instanceof Misconfiguration) return complain(2, error.message);
  if (error instanceof ChangeRefused) return complain(1, error.message);
  if (error instanceof Unavailable) return complain(1, `${error.message}: ${reasonOf(error.cause)}.`);
  return complain(70, `Unexpected: ${error instanceof Error ? error.message : String(error)}. Please report this.`);
}

/** If a host has several addresses, Node's error of the connection is an `AggregateError`, which has a code but no message. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'try again later';
  return (cause.message || String((cause as NodeJS.ErrnoException).code)).replace(/\.$/, '');
}

function complain(exitCode: number, message: string): number {
  process.stderr.write(`${withOwnCommand(message)}\n`);
  return exitCode;
}

// The program that reads our output may end early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 70));

// An error of any command arrives here, and decides the exit code.
try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
  endSoon();
}
