import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { writePrivate } from './private-file.ts';
import { settingSchemas } from './settings.ts';

/** The texts of settings by their names, as in the environment. */
export type Values = Readonly<Record<string, string>>;

/** Reads a file of `NAME=VALUE` lines. Undefined if the file does not exist. @throws {Misconfiguration} if it cannot be read */
export function readSettingsFile(path: string): Values | undefined {
  try {
    return parseEnv(readFileSync(path, 'utf8')) as Values;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Misconfiguration({
      message: `${path} cannot be read (${code}).`,
      fix: 'Run this as root, or name another file: --settings-file FILE',
    });
  }
}

/**
 * Writes a file that systemd, Node's `--env-file` and `janua-admin` read alike.
 * @throws {Misconfiguration} if the file exists already, cannot be written, or cannot contain a value
 */
export function writeSettingsFile(path: string, values: Values): void {
  const text = `# Written by janua setup. docs/configuration.md has every setting.\n${linesOf(values)}`;
  let isWritten: boolean;
  try {
    isWritten = writePrivate(path, text, false);
  } catch (error) {
    throw new Misconfiguration(`${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`);
  }
  if (!isWritten) throw new Misconfiguration(`${path} already exists.`);
}

/** @throws {Misconfiguration} if a settings file cannot contain a value */
export const linesOf = (values: Values): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${quote(name, value)}\n`)
    .join('');

function quote(name: string, value: string): string {
  if (/^[\w@%+=:,./?&~-]+$/.test(value)) return value;
  if (!/['\r\n]/.test(value)) return `'${value}'`;
  // Between double quotes, backslashes would be escapes.
  if (!/["\\\r\n]/.test(value)) return `"${value}"`;
  throw new Misconfiguration(
    `${name} must be one line. With a single quote, it must have neither double quotes nor backslashes.`,
  );
}

/** Makes `loadSettings` read these settings from now on, instead of those that this process was started with. */
export function useSettings(values: Values): void {
  for (const name of Object.keys(settingSchemas)) {
    delete process.env[name];
    delete process.env[`${name}_FILE`];
  }
  Object.assign(process.env, values, { JANUA_SETTINGS: Object.keys(values).join(' ') });
}
