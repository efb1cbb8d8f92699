import { printable } from '../../../ground/text/printable.ts';
import type { RefusalReason } from '../events.ts';
import { type FindPublishedKeys, NoKeys } from '../keys/published-keys.ts';
import { readToken } from '../keys/token-parts.ts';
import type { Records } from '../records/records.ts';
import type { IsGranted } from './find-machine.ts';
import type { Trust } from './trust.ts';
import { algorithmNames, isSigned } from './workload-keys.ts';

interface ProveOptions {
  readonly findKeys: FindPublishedKeys;
  readonly useAssertion: Records['useAssertion'];
  readonly isGranted: IsGranted;
  /** The address of this server, which each token must be made for. */
  readonly issuer: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface TrustingClient {
  readonly clientId: string;
  readonly trusts: readonly Trust[];
}

/** The reason for operators: its kind, which has an advice of its own, and the claim with both values. */
interface Because {
  readonly reason: RefusalReason;
  readonly detail: string;
}

/** The result: the client is proved; or not, for a reason that operators may read; or Janua cannot tell now. */
export type Proof =
  | { readonly state: 'proved' }
  | ({ readonly state: 'refused' } & Because)
  | ({ readonly state: 'unknown' } & Because);

export type ProveWorkload = ReturnType<typeof createProveWorkload>;

/** Characters of the longest token. GitHub's have about 1,700. */
const longestToken = 8192;

/** Seconds by which the clock of an issuer may be wrong, and seconds for which a token counts after it was made. */
const tolerance = 60;
const longestAge = 3600;

type Claims = Readonly<Record<string, unknown>>;

const refused = (detail: string, reason: RefusalReason = 'workload'): Proof => ({ state: 'refused', reason, detail });

/**
 * Creates the judge of a token of another issuer as the proof of a client (RFC 7523 3). The signature is verified first, so that the claims
 * in a refusal are those that the issuer stated, and not the text of a stranger.
 */
export function createProveWorkload({ findKeys, useAssertion, isGranted, issuer, now }: ProveOptions) {
  /** Returns the trusts with a key that has signed the token. @throws {NoKeys} {Unavailable} if no other trust has one */
  async function findSigned(token: string, header: Claims, trusts: readonly Trust[]): Promise<readonly Trust[]> {
    const uploaded = trusts.filter(({ keys }) => keys !== undefined && isSigned(token, header, keys));
    const others = trusts.filter(({ keys }) => keys === undefined);
    const [published] = others;
    if (uploaded.length > 0 || published === undefined) return uploaded;
    return isSigned(token, header, await findKeys(published.issuer, header.kid)) ? others : [];
  }

  async function judge(token: string, { clientId, trusts }: TrustingClient): Promise<Proof> {
    const { header, payload } = readToken(token);
    if (token.length > longestToken || token.split('.').length !== 3 || header === undefined || payload === undefined)
      return refused('the assertion is no signed token');
    const ofIssuer = trusts.filter((trust) => trust.issuer === payload.iss && trust.issuer !== issuer());
    if (ofIssuer.length === 0)
      return refused(mismatch('iss', payload.iss, listOf(trusts.map((trust) => trust.issuer))));
    const granted = await Promise.all(ofIssuer.map(isGranted));
    const living = ofIssuer.filter((_, index) => granted[index]);
    if (living.length === 0) return refused('the administrator who granted the trust may no longer grant it');
    if (!algorithmNames.includes(String(header.alg)) || header.crit !== undefined)
      return refused(mismatch('alg', header.alg, listOf(algorithmNames)));
    const signed = await findSigned(token, header, living);
    if (signed.length === 0) return refused(`no key of ${payload.iss} has signed it; kid: ${show(header.kid)}`);
    const fault = findFault(payload);
    if (fault !== undefined) return fault;
    const faults = signed.map((trust) => findMismatch(trust, payload));
    const trust = signed[faults.indexOf(undefined)];
    if (trust === undefined) return refused(faults.join('; '));
    return trust.once ? useOnce(clientId, trust, payload) : { state: 'proved' };
  }

  /** Judges the claims that every token needs. */
  function findFault({ aud, exp, nbf, iat }: Claims): Proof | undefined {
    const [only, another] = Array.isArray(aud) ? aud : [aud];
    // A token that is made for another server too could come from that server.
    if (only !== issuer() || another !== undefined) return refused(mismatch('aud', aud, issuer()), 'workload-audience');
    const time = now() / 1000;
    const fault = (claim: string, found: unknown, wanted: string) =>
      refused(mismatch(claim, isoOf(found) ?? found, `a time ${wanted} ${isoOf(time)}`), 'workload-time');
    if (typeof exp !== 'number' || exp + tolerance <= time) return fault('exp', exp, 'after');
    if (nbf !== undefined && !(typeof nbf === 'number' && nbf - tolerance <= time)) return fault('nbf', nbf, 'before');
    const isRecent = typeof iat === 'number' && iat - tolerance <= time && iat + longestAge + tolerance > time;
    return isRecent ? undefined : fault('iat', iat, 'in the hour before');
  }

  async function useOnce(clientId: string, trust: Trust, { jti, exp, iat }: Claims): Promise<Proof> {
    if (typeof jti !== 'string' || jti === '')
      return refused(mismatch('jti', jti, 'an id, because it counts once'), 'workload-once');
    const end = (Math.min(Number(exp), Number(iat) + longestAge) + tolerance) * 1000;
    const party = `client ${clientId}`;
    const use = await useAssertion({ issuer: `workloads of ${trust.issuer}`, jti, end, party });
    if (use === 'too-many')
      return { state: 'unknown', reason: 'too-many-workloads', detail: 'too many assertions in five minutes' };
    const detail = `jti: the token with ${show(jti)} was used already`;
    return use === 'new' ? { state: 'proved' } : refused(detail, 'workload-once');
  }

  /** @throws {Unavailable} if no connection to the issuer is free */
  return async (token: string, client: TrustingClient): Promise<Proof> => {
    try {
      return await judge(token, client);
    } catch (error) {
      if (error instanceof NoKeys) return { state: 'unknown', reason: 'issuer-keys', detail: error.message };
      throw error;
    }
  };
}

/** Compares the claims as texts. Undefined if all are as the trust wants them. */
function findMismatch({ claims }: Trust, payload: Claims): string | undefined {
  const [fault] = Object.entries(claims).flatMap(([name, wanted]) => {
    const found = findClaim(payload, name);
    return textOf(found) === wanted ? [] : [mismatch(name, found, wanted)];
  });
  return fault;
}

/** Finds a claim by its name, or in an object by a JSON Pointer (RFC 6901). */
function findClaim(payload: Claims, name: string): unknown {
  const decode = (key: string) => key.replaceAll('~1', '/').replaceAll('~0', '~');
  const path = name.startsWith('/') ? name.slice(1).split('/').map(decode) : [name];
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Claims)[key] : undefined,
    payload,
  );
}

/** Returns a claim as a text. Undefined for a list, an object, and a number that has lost digits. */
const textOf = (claim: unknown): string | undefined =>
  typeof claim === 'string' || typeof claim === 'boolean' || Number.isSafeInteger(claim) ? String(claim) : undefined;

const mismatch = (claim: string, found: unknown, wanted: string) =>
  `${claim}: the token has ${show(found)}, and ${wanted} was expected`;

/** Returns the time of a claim as ISO 8601. Undefined for another value, and for a number that is no time. @param seconds since 1970 */
function isoOf(seconds: unknown): string | undefined {
  const time = new Date(typeof seconds === 'number' ? Math.floor(seconds) * 1000 : Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace('.000', '');
}

const listOf = (texts: readonly string[]) => [...new Set(texts)].join(' or ') || 'no issuer';

/** Characters of the longest value that a refusal shows. */
const longestShown = 100;

function show(value: unknown): string {
  const text = textOf(value) ?? (value === undefined ? 'nothing' : (JSON.stringify(value) ?? ''));
  return printable(text.slice(0, longestShown));
}
