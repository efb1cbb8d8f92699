import type { Fault } from '../faults/misconfiguration.ts';
import { findNearest } from '../text/nearest.ts';
import { type SettingSchema, settingSchemas } from './settings.ts';

export interface UnknownSetting {
  readonly name: string;
  /** The setting whose name is nearly the same. */
  readonly nearest: string | undefined;
}

const known = Object.entries<SettingSchema>(settingSchemas).flatMap(([name, { format }]) =>
  format === 'password' ? [name, `${name}_FILE`] : [name],
);

/** What the file may also set: for the units and `janua-admin`, Node, its libraries, and traces. */
const foreign =
  /^(?:(?:JANUA|NODE|OTEL|UV|MALLOC|SSL|LC)_.*|PG[A-Z]+|TZ|LANG|PATH|HOME|TMPDIR|(?:https?|no|all)_proxy)$/i;

/**
 * Finds names that the operator has mistyped, or that only an older version knew: every unknown name in the file of settings, and the names
 * in the environment that differ by one letter from a setting that is not set. A short name there may be of another program.
 */
export function findUnknownSettings(environment: NodeJS.ProcessEnv = process.env): UnknownSetting[] {
  const { JANUA_SETTINGS = '', ...others } = environment;
  const inFile = JANUA_SETTINGS.split(' ').filter((name) => name !== '' && !foreign.test(name));
  const unknown = [...new Set(inFile)].map((name) => ({ name, nearest: findSetting(name, 2) }));
  const similar = Object.keys(others).flatMap((name) => {
    const nearest = inFile.includes(name) || name.length < 8 ? undefined : findSetting(name, 1);
    return nearest === undefined || others[nearest] ? [] : [{ name, nearest }];
  });
  return [...unknown, ...similar].filter(({ name }) => !known.includes(name));
}

/** Says it in the words of `doctor` and of the log. */
export const describeUnknown = ({ name, nearest }: UnknownSetting): Required<Fault> => ({
  message: `${name} is not a setting of Janua, which ignores it.`,
  fix: nearest === undefined ? 'Remove it. All settings: npx janua serve --help' : `If you mean ${nearest}, rename it.`,
});

const findSetting = (name: string, most: number) => findNearest(known, name.toUpperCase(), most);
