import { compose } from '../compose.ts';
import { loadSettings } from '../config/load.ts';
import type { Administration } from '../identity/administration.ts';

/** Runs one administrative task on the configured stores and says in a line what was done. */
export async function administer(task: (administration: Administration) => Promise<string>): Promise<void> {
  // The watch of the stores logs what the command's own last line says anyway.
  const composition = await compose({ ...loadSettings(), LOG_LEVEL: 'silent' }, { takesLogins: false });
  try {
    const { administration } = await composition.prepare();
    const text = await task(administration);
    if (text !== '') process.stdout.write(`${text}\n`);
  } finally {
    await composition.close();
  }
}
