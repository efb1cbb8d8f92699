import { keysOfHostToken } from '../../core/access/login-limits.ts';
import { type Answer, Refusal, tooMany } from '../../core/access/refusal.ts';
import type { Audit } from '../../core/audit/audit.ts';
import type { Throttle } from '../../core/throttle/throttle.ts';
import { basic } from '../../core/users/scopes.ts';
import { canonicalUsername } from '../../core/users/user.ts';
import type { Request } from '../../web/types.ts';
import type { ForwardedTarget } from './forwarded-target.ts';
import type { Returns } from './returns.ts';
import type { createSaysRule } from './rules.ts';

export interface BasicParts {
  readonly throttle: Pick<Throttle, 'take'>;
  readonly audit: Pick<Audit<never>, 'digestName'>;
}

interface Basic {
  /** As typed. Janua only counts wrong passwords by it: the token names its user. */
  readonly name: string;
  readonly password: string;
}

export const hostTokenNeeded: Answer = {
  name: 'host-token-needed',
  status: 401,
  detail: 'Send a token for this host as the password of HTTP Basic',
  challenge: 'Basic realm="janua", charset="UTF-8"',
};

export const tooManyHostTokens: Answer = {
  ...tooMany,
  name: 'too-many-host-tokens',
  detail: 'Too many wrong tokens. Please wait before trying again',
};

/**
 * Lets in programs that know HTTP Basic alone, such as calendars, WebDAV and git, where a rule says so. The password is a personal token for
 * that host.
 */
export function createBasic(
  parts: () => BasicParts,
  saysRule: ReturnType<typeof createSaysRule>,
  returns: Pick<Returns, 'countCredentials'>,
) {
  return {
    /**
     * Tells whether Basic counts for a request, and is asked for. A browser sends Basic by itself with requests that other sites cause, so
     * Basic counts only without the headers that browsers send, and without our cookie.
     */
    isTaken: ({ kind, origin, sentUri }: ForwardedTarget, { headers }: Request): boolean =>
      kind === 'listed' &&
      !Object.keys(headers).some((name) => name.startsWith('sec-fetch-')) &&
      returns.countCredentials(origin, headers.cookie) === 'none' &&
      saysRule(basic, origin, sentUri),

    /**
     * Counts a wrong token, and makes the refusal. The token was looked up before, so failures never keep out a right one.
     * @throws {Unavailable} when the failures cannot be counted
     */
    async refuse({ headers, caller }: Request): Promise<Refusal> {
      const { throttle, audit } = parts();
      const nameDigest = audit.digestName(canonicalUsername(readBasic(headers.authorization)?.name ?? ''));
      const counted = await throttle.take(keysOfHostToken(nameDigest, caller));
      return counted ? new Refusal(hostTokenNeeded) : new Refusal(tooManyHostTokens, 60);
    },
  };
}

/** Reads the credentials of Basic (RFC 7617 2), empty ones if they are malformed. Undefined for other schemes. */
export function readBasic(authorization: string | undefined): Basic | undefined {
  const basicShape = /^basic(?: +(.*))?$/i.exec(authorization ?? '');
  if (basicShape === null) return undefined;
  const [name = '', ...password] = Buffer.from(basicShape[1] ?? '', 'base64')
    .toString()
    .split(':');
  return { name, password: password.join(':') };
}
