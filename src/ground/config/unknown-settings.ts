import type { Fault } from '../faults/misconfiguration.ts';
import { findNearest } from '../text/nearest.ts';
import { type SettingSchema, settingSchemas } from './settings.ts';

export interface UnknownSetting {
  readonly name: string;
  /** A setting with nearly the same name. Undefined if there is none. */
  readonly nearest: string | undefined;
}

const known = Object.entries<SettingSchema>(settingSchemas).flatMap(([name, { format }]) =>
  format === 'password' ? [name, `${name}_FILE`] : [name],
);

/** Matches further names that the file of settings may set: for the systemd units, `janua-admin`, Node, its libraries, and traces. */
const foreign =
  /^(?:(?:JANUA|NODE|OTEL|UV|MALLOC|SSL|LC)_.*|PG[A-Z]+|TZ|LANG|PATH|HOME|TMPDIR|(?:https?|no|all)_proxy)$/i;

/**
 * Finds names that the operator mistyped, or that only an older version knew. These are all unknown names in the file of settings. In the
 * environment, they are the names that differ by one letter from a setting that is not set. Short names in the environment are ignored,
 * because they may belong to another program.
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

/** Describes an unknown setting for `doctor` and the log. */
export const describeUnknown = ({ name, nearest }: UnknownSetting): Required<Fault> => ({
  message: `${name} is not a setting of Janua, which ignores it.`,
  fix:
    nearest === undefined ? 'Remove it. All settings: ./bin/janua serve --help' : `If you mean ${nearest}, rename it.`,
});

const findSetting = (name: string, most: number) => findNearest(known, name.toUpperCase(), most);
