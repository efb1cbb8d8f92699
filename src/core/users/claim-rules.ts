import { isClaimName } from '../../ground/text/claim-source.ts';
import { isPlainLine } from '../../ground/text/printable.ts';
import { ChangeRefused } from './change-refused.ts';
import { registeredClaims } from './registered-claims.ts';

export type ClaimValue =
  | string
  | number
  | boolean
  | null
  | readonly ClaimValue[]
  | { readonly [name: string]: ClaimValue };

/** Claims by their names, in the order of the names. */
export type Claims = Readonly<Record<string, ClaimValue>>;

/** Most bytes of one value, as JSON. */
const longestValue = 1024;

/** Most claims that a user or a group has, and most bytes of all of them, as JSON. They bound the size of tokens. */
export const claimLimits = { most: 32, bytes: 8192 } as const;

const messages = {
  'not-a-claim-name': ({ claim }) =>
    `The claim ${claim} needs another name: a small letter, and then up to 127 small letters, digits and _ : . / -.`,
  'claim-registered': ({ claim }) => `The claim ${claim} has a meaning in a standard, so it cannot be a custom one.`,
  'not-a-claim-value': ({ claim }) =>
    `The value of ${claim} must be JSON of at most ${longestValue} bytes. Its texts are plain lines, and its numbers are exact.`,
  'too-many-claims': () =>
    `A user would have more than ${claimLimits.most} claims, or more than ${claimLimits.bytes} bytes of them.`,
  'not-claims': () => 'Write claims as a JSON object, or as NAME=VALUE, one a line.',
} as const satisfies Readonly<Record<string, (values: { readonly claim: string }) => string>>;

export type ClaimFaultCode = keyof typeof messages;

/** Claims that cannot be stored. Pages explain the fault by its code. */
export class ClaimFault extends ChangeRefused {
  readonly fault: ClaimFaultCode;
  readonly claim: string;

  constructor(fault: ClaimFaultCode, claim = '') {
    super(messages[fault]({ claim: claim.slice(0, 128) }));
    this.fault = fault;
    this.claim = claim.slice(0, 128);
  }
}

/** Throws unless a custom claim may have this name. @throws {ClaimFault} */
export function requireCustomName(name: string): void {
  if (!isClaimName(name)) throw new ClaimFault('not-a-claim-name', isPlainLine(name) ? name : '');
  if (registeredClaims.has(name)) throw new ClaimFault('claim-registered', name);
}

/**
 * Reads claims from an object. A null stands for no claim.
 * @throws {ClaimFault}
 */
export function requireClaims(given: Readonly<Record<string, unknown>>): Claims {
  const claims = Object.entries(given).filter(([, value]) => value !== null);
  for (const [name, value] of claims) {
    requireCustomName(name);
    if (!isValue(value) || bytesOf(value) > longestValue) throw new ClaimFault('not-a-claim-value', name);
  }
  const read = inOrder(Object.fromEntries(claims) as Claims);
  requireWithinLimits(read);
  return read;
}

/** @throws {ClaimFault} */
export function requireWithinLimits(claims: Claims): void {
  if (!isWithinLimits(claims)) throw new ClaimFault('too-many-claims');
}

const isWithinLimits = (claims: Claims): boolean =>
  Object.keys(claims).length <= claimLimits.most && bytesOf(claims) <= claimLimits.bytes;

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

const inOrder = (claims: Claims): Claims =>
  Object.fromEntries(Object.entries(claims).sort(([one], [other]) => (one < other ? -1 : 1)));

/** The deepest lists and objects in each other. A deeper value could fill the stack of the program that reads it. */
const deepest = 10;

/** Refuses values that another program would read otherwise: a number that JSON cannot hold exactly, and a text with hidden characters. */
function isValue(value: unknown, depth = 0): value is ClaimValue {
  if (typeof value === 'string') return isPlainLine(value);
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (typeof value !== 'object' || value === null) return value === null || typeof value === 'boolean';
  if (depth === deepest) return false;
  if (Array.isArray(value)) return value.every((part) => isValue(part, depth + 1));
  // A program that copies such a field could change the prototype of its objects.
  return Object.entries(value).every(
    ([name, part]) => name !== '__proto__' && isPlainLine(name) && isValue(part, depth + 1),
  );
}

/**
 * Reads claims that were typed: a JSON object, or lines such as `department=research`, where the value is JSON or a text.
 * @throws {ClaimFault}
 */
export function parseClaims(text: string): Claims {
  const typed = text.trim();
  const parsed = typed.startsWith('{')
    ? parseJson(typed)
    : Object.fromEntries(
        typed
          .split(/\r?\n/)
          .filter((line) => line.trim() !== '')
          .map(parseClaim),
      );
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new ClaimFault('not-claims');
  return requireClaims(parsed as Readonly<Record<string, unknown>>);
}

/** Reads one claim, such as `department=research`. @throws {ClaimFault} */
export function parseClaim(text: string): readonly [name: string, value: unknown] {
  const end = text.indexOf('=');
  if (end < 0) throw new ClaimFault('not-claims');
  const value = text.slice(end + 1).trim();
  const parsed = parseJson(value);
  return [text.slice(0, end).trim(), parsed === undefined ? value : parsed];
}

/** Undefined for a text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Writes claims as `parseClaims` reads them. */
export const linesOfClaims = (claims: Claims): string =>
  Object.entries(claims)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'string' && parseJson(value) === undefined && value === value.trim() ? value : JSON.stringify(value)}`,
    )
    .join('\n');

/**
 * Joins the claims of a user with those of the user's groups. A claim of the user replaces those of groups. Lists of several groups are
 * united. Of other values, that of the first group counts, in the order of their names.
 */
export function joinClaims(own: Claims, ofGroups: ReadonlyMap<string, Claims>): Claims {
  const joined = new Map<string, ClaimValue>();
  for (const [, claims] of [...ofGroups].sort(([one], [other]) => (one < other ? -1 : 1)))
    for (const [name, value] of Object.entries(claims)) {
      const first = joined.get(name);
      if (first === undefined) joined.set(name, value);
      else if (isList(first) && isList(value)) joined.set(name, unite(first, value));
    }
  return inOrder({ ...Object.fromEntries(joined), ...own });
}

const isList = (value: ClaimValue): value is readonly ClaimValue[] => Array.isArray(value);

/** Returns the values of both lists, each once, sorted by their JSON. */
function unite(one: readonly ClaimValue[], other: readonly ClaimValue[]): readonly ClaimValue[] {
  const values = new Map([...one, ...other].map((value) => [JSON.stringify(canonical(value)), value]));
  return [...values].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, value]) => value);
}

/** Sorts the fields of objects, so that equal values have the same JSON. */
function canonical(value: ClaimValue): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isList(value)) return value.map(canonical);
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, part]) => [name, canonical(part)]);
}

/**
 * Leaves out claims of groups beyond the limits. A user may come into further groups after the claims were written.
 * @returns the claims that count: first the user's own ones, which are within the limits, then those of groups by name
 */
export function withinLimits(joined: Claims, own: Claims): Claims {
  if (isWithinLimits(joined)) return joined;
  let kept = own;
  for (const [name, value] of Object.entries(joined)) {
    const more = { ...kept, [name]: value };
    if (isWithinLimits(more)) kept = more;
  }
  return inOrder(kept);
}
