import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command of a checkout, or of the package, in which the compiled files end with .js. */
const ownCommand = import.meta.url.endsWith('.ts') ? './bin/janua' : 'janua';

/**
 * Replaces `./bin/janua` in a text by the command of this installation. `janua-admin` and the systemd units (`deploy/`) set
 * `JANUA_COMMAND`, because plain `janua` lacks the settings of the service, and would act on another database.
 */
export const withOwnCommand = (text: string): string =>
  text.replaceAll('./bin/janua', () => process.env.JANUA_COMMAND ?? ownCommand);

export const adminCommand = 'janua-admin';

/** Quotes a word for a shell. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Returns the command that reads the settings of a file. `janua-admin` only reads `/etc/janua/janua.env`. */
export function commandWith(settingsFile: string): string {
  const file = resolve(settingsFile);
  return file === '/etc/janua/janua.env'
    ? adminCommand
    : ['node', `--env-file=${file}`, fileURLToPath(new URL('../../../bin/janua.mjs', import.meta.url))]
        .map(quoted)
        .join(' ');
}
