import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Names this command in a text as the operator calls it. `janua-admin` and the units (`deploy/`) say its name: without the settings of the
 * service, `npx janua` would act on another database.
 */
export const sayCommand = (text: string): string =>
  text.replaceAll('npx janua', () => process.env.JANUA_COMMAND ?? 'npx janua');

export const adminCommand = 'janua-admin';

/** For a shell. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The command with the settings of a file. `janua-admin` and the units read one of this name alone. */
export function commandWith(settingsFile: string): string {
  const file = resolve(settingsFile);
  return file === '/etc/janua/janua.env'
    ? adminCommand
    : ['node', `--env-file=${file}`, fileURLToPath(new URL('../../../bin/janua.mjs', import.meta.url))]
        .map(quoted)
        .join(' ');
}
