import type { SignedIn } from '../../core/access/access.ts';
import type { JoinedPorts } from '../../core/ports.ts';
import type { ClaimValue } from '../../core/users/claim-rules.ts';
import { findClaimValue } from '../../core/users/claim-values.ts';
import type { StoredClaims } from '../../core/users/claims.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { Source } from '../../ground/text/claim-source.ts';
import { jsonLine } from '../../ground/text/printable.ts';
import { asCodePoints, headerText, unmistakable } from './identity-headers.ts';

/** A header by which `/auth/verify` describes a user to the application of one origin. */
export interface ForwardHeader {
  readonly origin: string;
  /** In lower case. */
  readonly name: string;
  /** The claim with the same meaning. `preferred_username` may be an address that nothing proves. */
  readonly claim: string;
  readonly source: Source;
}

export interface FurtherHeaderParts {
  readonly claims: Pick<StoredClaims, 'find'>;
  readonly ports: Pick<JoinedPorts, 'subjectOf'>;
}

type Headers = Readonly<Record<string, string>>;

/**
 * Most bytes of all values of `FORWARD_AUTH_HEADERS` together. nginx refuses a response whose headers are longer than its buffer, so that a
 * long claim of a group would lock its members out.
 */
const mostBytes = 2048;

/** Describes users by the headers that the operator has added. */
export function createFurtherHeaders(headers: readonly ForwardHeader[], parts: () => FurtherHeaderParts) {
  /**
   * All headers without values, for programs, which have no user. Each answer that lets a request in has all of them, also those of other
   * origins: a proxy that copies the header of an answer could otherwise leave the header that the client sent.
   */
  const empty: Headers = Object.fromEntries(headers.map(({ name }) => [name, '']));
  const named = new Set<ForwardHeader>();

  function warnOnce(header: ForwardHeader, log: Pick<Log, 'warn'>): void {
    if (named.has(header)) return;
    named.add(header);
    const { origin, name } = header;
    log.warn({ event: 'forward_auth', origin, header: name }, 'the values of a user are too long for headers');
  }

  /** @throws {Unavailable} if the claims cannot be read */
  async function find(origin: string, { user, isAddressVouched }: SignedIn, log: Pick<Log, 'warn'>): Promise<Headers> {
    const own = headers.filter((header) => header.origin === origin);
    const comesFrom = (kind: string) => own.some(({ source }) => source.kind === kind);
    const { claims, ports } = parts();
    const [custom, subject] = await Promise.all([
      comesFrom('claim') ? claims.find(user) : {},
      comesFrom('id') ? ports.subjectOf(user) : undefined,
    ]);
    // As for `Remote-Email`.
    const account = { user, isAddressVerified: isAddressVouched === true };
    let bytesLeft = mostBytes;
    const found = own.map((header) => {
      const { value } = findClaimValue(header.claim, header.source, account, subject, custom);
      const text = value === undefined ? '' : headerText(textOf(value));
      // Part of a value could mean something else.
      if (text.length > bytesLeft) {
        warnOnce(header, log);
        return [header.name, ''];
      }
      bytesLeft -= text.length;
      return [header.name, text];
    });
    return { ...empty, ...Object.fromEntries(found) };
  }

  return { empty, find };
}

/** Writes a list as `Remote-Groups` has it, and objects as JSON, which has escapes for invisible characters. */
function textOf(value: ClaimValue): string {
  if (!isStructure(value)) return unmistakable(String(value));
  if (!Array.isArray(value) || value.some(isStructure)) return jsonLine(value).trimEnd();
  return value.map((item) => unmistakable(String(item)).replaceAll(',', asCodePoints)).join(',');
}

const isStructure = (value: ClaimValue): value is object & ClaimValue => typeof value === 'object' && value !== null;
