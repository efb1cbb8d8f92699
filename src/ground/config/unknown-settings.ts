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
  const unknown = [...new Set(inFile)].map((name) => ({ name, nearest: findNearest(name, 2) }));
  const similar = Object.keys(others).flatMap((name) => {
    const nearest = inFile.includes(name) || name.length < 8 ? undefined : findNearest(name, 1);
    return nearest === undefined || others[nearest] ? [] : [{ name, nearest }];
  });
  return [...unknown, ...similar].filter(({ name }) => !known.includes(name));
}

function findNearest(name: string, most: number): string | undefined {
  for (let mistakes = 0; mistakes <= most; mistakes += 1) {
    const found = known.find((one) => isNear(name.toUpperCase(), one, mistakes));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Whether so many mistakes may make the difference: a letter that is missing, too many, wrong, or swapped with the next one. */
function isNear(typed: string, meant: string, mistakes: number): boolean {
  if (typed === meant) return true;
  if (mistakes === 0) return false;
  let same = 0;
  while (typed[same] === meant[same]) same += 1;
  const [a, b] = [typed.slice(same), meant.slice(same)];
  const goesOn = (skipped: number, left: number) => isNear(a.slice(skipped), b.slice(left), mistakes - 1);
  const isSwapped = a.length > 1 && a[0] === b[1] && a[1] === b[0];
  return goesOn(0, 1) || goesOn(1, 0) || goesOn(1, 1) || (isSwapped && goesOn(2, 2));
}
