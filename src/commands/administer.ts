import { compose, type Services } from '../compose.ts';
import { loadSettings } from '../config/load.ts';
import type { Administration } from '../users/administration.ts';
import { commandCaller } from './command-caller.ts';

/**
 * Runs one administrative task on the configured stores and prints its result in one line.
 * @param command as the operator typed it, for the audit
 */
export async function administer(
  command: string,
  task: (administration: Administration, services: Services) => Promise<string>,
): Promise<void> {
  // The command's last line reports store faults, so the watch of the stores need not log them.
  const composition = await compose(
    { ...loadSettings(), LOG_LEVEL: 'silent' },
    { takesLogins: false, caller: commandCaller(command) },
  );
  try {
    const services = await composition.prepare();
    const text = await task(services.administration, services);
    if (text !== '') process.stdout.write(`${text}\n`);
  } finally {
    await composition.close();
  }
}
