import { compose, type Services } from '../compose.ts';
import { loadSettings } from '../config/load.ts';
import type { Administration } from '../users/administration.ts';
import { commandCaller } from './command-caller.ts';

/**
 * Runs one administrative task on the configured stores and says in a line what was done.
 * @param command as it was typed, for the audit
 */
export async function administer(
  command: string,
  task: (administration: Administration, services: Services) => Promise<string>,
): Promise<void> {
  // The watch of the stores logs what the command's own last line says anyway.
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
