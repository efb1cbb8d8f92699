import { ChangeRefused } from '../../core/users/change-refused.ts';

/** An object of an export. Keycloak may have written it, or an attacker, so its values may be of any type. */
export type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws {ChangeRefused} */
export function requireObject(value: unknown, name: string): Json {
  if (isObject(value)) return value;
  throw new ChangeRefused(`${name} must be an object.`);
}

/** @param text undefined if the part was longer than it may be, or no UTF-8 @throws {ChangeRefused} */
export function parseObject(text: string | undefined, name: string): Json {
  if (text === undefined) throw new ChangeRefused(`${name} is too long, or not in UTF-8.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {}
  return requireObject(value, name);
}

/** Returns a text. Empty if it is missing. @throws {ChangeRefused} for a value of another type */
export function textOf(object: Json, key: string): string {
  const value = object[key] ?? '';
  if (typeof value === 'string') return value;
  throw new ChangeRefused(`${key} must be a text.`);
}

/** Returns a number. 0 if it is missing. @throws {ChangeRefused} */
export function numberOf(object: Json, key: string): number {
  const value = object[key] ?? 0;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new ChangeRefused(`${key} must be a whole number.`);
}

/** @throws {ChangeRefused} */
export function flagOf(object: Json, key: string, missing = false): boolean {
  const value = object[key] ?? missing;
  if (typeof value === 'boolean') return value;
  throw new ChangeRefused(`${key} must be true or false.`);
}

/** Returns a list. Empty if it is missing. @throws {ChangeRefused} */
export function listOf(object: Json, key: string): readonly unknown[] {
  const value = object[key] ?? [];
  if (Array.isArray(value)) return value;
  throw new ChangeRefused(`${key} must be a list.`);
}

export const objectsOf = (object: Json, key: string): readonly Json[] =>
  listOf(object, key).map((entry) => requireObject(entry, `Each of ${key}`));

/** @throws {ChangeRefused} */
export function textsOf(object: Json, key: string): readonly string[] {
  const values = listOf(object, key);
  if (values.every((value) => typeof value === 'string')) return values;
  throw new ChangeRefused(`${key} must be a list of texts.`);
}

/** Returns an object. Empty if it is missing. @throws {ChangeRefused} */
export const objectOf = (object: Json, key: string): Json => requireObject(object[key] ?? {}, key);
