import { readKeys, type UsableKey } from '../keys/foreign-keys.ts';

/**
 * A workload of another issuer, such as a job of GitHub Actions, that a client trusts: its signed token proves the client (RFC 7523 2.2).
 */
export interface Trust {
  /** The `iss` of its tokens, letter by letter. */
  readonly issuer: string;
  /** The values that claims of the token must have, by name or JSON Pointer (RFC 6901). */
  readonly claims: Readonly<Record<string, string>>;
  /** True if each token counts once. Kubernetes and SPIFFE send the same token again, GitHub makes a new one for each request. */
  readonly once: boolean;
  /** The keys that the operator has uploaded. Undefined: the issuer publishes them (OpenID Connect Discovery 4). */
  readonly keys?: readonly UsableKey[];
  /** The id of the administrator who granted this. Undefined if a command did. */
  readonly grantedBy?: string | undefined;
}

/** Most trusts of a client, and most characters of one with its keys. */
export const mostTrusts = 5;
export const longestTrust = 4000;

/** The fault of a text that describes no trust, as the field of a form shows it. */
export class TrustFault extends Error {
  override readonly name = 'TrustFault';
  readonly code: 'not-a-trust' | 'trust-without-id' | 'not-a-key-set';
  readonly values: { readonly entry: string; readonly claims: string };

  constructor(code: TrustFault['code'], entry: string, claims: readonly string[] = []) {
    super(code);
    this.code = code;
    this.values = { entry, claims: claims.join(', ') };
  }
}

/** Claims of every token (RFC 7519 4.1). Janua judges them itself, so that no trust names them. */
const reserved: ReadonlySet<string> = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti']);

/**
 * Claims that tell a workload from all others of its issuer. An issuer such as GitHub signs tokens for everybody, so that a trust with none
 * of them, such as a branch alone, would let in the jobs of strangers. Names may be given to another project later; ids never are.
 */
export const identifyingClaims: readonly string[] = [
  'sub',
  'repository_id',
  'repository_owner_id',
  'project_id',
  'namespace_id',
  'client_id',
  'azp',
  'oid',
  '/kubernetes.io/serviceaccount/uid',
];

export const isIdentified = ({ claims }: Pick<Trust, 'claims'>): boolean =>
  identifyingClaims.some((name) => Object.hasOwn(claims, name));

interface Preset {
  readonly issuer?: string;
  /** The id that stays when a name changes, as it is typed, and its claim. */
  readonly id: { readonly option: string; readonly claim: string };
  /** Returns the claims that the name stands for. */
  readonly claimsOf: (name: string) => Readonly<Record<string, string>>;
}

const presets: Readonly<Record<string, Preset>> = {
  github: {
    issuer: 'https://token.actions.githubusercontent.com',
    id: { option: 'repository_id', claim: 'repository_id' },
    claimsOf: (repository) => ({ repository }),
  },
  gitlab: {
    issuer: 'https://gitlab.com',
    id: { option: 'project_id', claim: 'project_id' },
    claimsOf: (project_path) => ({ project_path }),
  },
  kubernetes: {
    id: { option: 'uid', claim: '/kubernetes.io/serviceaccount/uid' },
    claimsOf: (name) => ({ sub: `system:serviceaccount:${name.replace('/', ':')}` }),
  },
};

/** Splits a text at the white space before each trust. The value of a claim may have spaces, such as the name of an environment. */
export const splitTrusts = (text: string): string[] =>
  text
    .trim()
    .split(/\s+(?=(?:issuer=|github:|gitlab:|kubernetes:))/)
    .filter(Boolean);

/** The characters that begin the uploaded keys, which are the end of a text because they have commas. */
const keysStart = ',jwks={';

/**
 * Reads a trust, such as `github:OWNER/REPO,repository_id=42` or `issuer=URL,sub=NAME,once`, at its end perhaps `,jwks={"keys":[…]}`.
 * @throws {TrustFault}
 */
export function parseTrust(text: string): Trust {
  const end = text.indexOf(keysStart);
  const shown = end === -1 ? text : text.slice(0, end);
  const [first = '', ...rest] = shown.split(',');
  const [, kind = '', name = ''] = /^([a-z]+):([^/\s]+\/\S+)$/.exec(first) ?? [];
  const preset = Object.hasOwn(presets, kind) ? presets[kind] : undefined;
  const { issuer = preset?.issuer, ...given } = readClaims(preset === undefined ? [first, ...rest] : rest, shown);
  const { once, ...claims } = given;
  if (issuer === undefined || (once !== undefined && once !== '')) throw new TrustFault('not-a-trust', shown);
  const named = preset === undefined ? claims : fillIn(preset, name, claims, shown);
  if (!isIdentified({ claims: named })) throw new TrustFault('trust-without-id', shown, identifyingClaims);
  const keys = end === -1 ? undefined : readKeys(parseJson(text.slice(end + keysStart.length - 1)));
  if (keys?.length === 0) throw new TrustFault('not-a-key-set', shown);
  return { issuer, claims: named, once: once !== undefined, ...(keys && { keys }) };
}

/** A name without a value, such as `once`, has an empty one. @throws {TrustFault} */
function readClaims(pieces: readonly string[], shown: string): Readonly<Record<string, string>> {
  const entries = pieces.map((piece): [string, string] => {
    const at = piece.indexOf('=');
    const [name, value] = at === -1 ? [piece, ''] : [piece.slice(0, at), piece.slice(at + 1)];
    const isGood = name === 'once' ? at === -1 : /^[\w./:~-]{1,200}$/.test(name) && value !== '';
    if (!isGood || reserved.has(name) || name === '__proto__') throw new TrustFault('not-a-trust', shown);
    return [name, value];
  });
  // A claim that is named twice could have only one of the values.
  if (new Set(entries.map(([name]) => name)).size < entries.length) throw new TrustFault('not-a-trust', shown);
  return Object.fromEntries(entries);
}

/** @throws {TrustFault} without the id that stays when a name changes: another owner could get the name */
function fillIn({ id, claimsOf }: Preset, name: string, claims: Trust['claims'], shown: string): Trust['claims'] {
  const { [id.option]: value, ...more } = claims;
  if (value === undefined) throw new TrustFault('trust-without-id', shown, [id.option]);
  return { ...claimsOf(name), [id.claim]: value, ...more };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns a trust as `parseTrust` reads it, without its keys. */
export const nameTrust = ({ issuer, claims, once }: Trust): string =>
  [
    `issuer=${issuer}`,
    ...Object.entries(claims).map(([name, value]) => `${name}=${value}`),
    ...(once ? ['once'] : []),
  ].join(',');

/** Returns a trust as `parseTrust` reads it. */
export const textOfTrust = (trust: Trust): string =>
  trust.keys === undefined ? nameTrust(trust) : `${nameTrust(trust)},jwks=${JSON.stringify({ keys: trust.keys })}`;
