import { databasePart } from '../../ground/database/errors.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';

interface StoreFault {
  readonly codes: readonly string[];
  /** The rest of a sentence that begins with the store's name. */
  readonly reason: string;
  readonly fix: string;
  /** Waiting does not fix this fault, so a server does not start while it lasts. */
  readonly lasts?: true;
}

const lacksRights = 'does not give the account the rights that Janua needs';

/**
 * In `fix`, `URL` stands for the name of the setting. The codes are Node's codes, PostgreSQL's SQLSTATE, MySQL's names, and the first words
 * of Redis errors.
 */
const storeFaults: readonly StoreFault[] = [
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'],
    reason: 'cannot be reached: no server accepts the connection',
    fix: 'Start the server, or correct host and port in URL.',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    reason: 'cannot be reached: its host name cannot be resolved',
    fix: 'Correct the host in URL.',
  },
  {
    codes: ['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST'],
    reason: 'ended the connection',
    fix: 'Look into its log, and use TLS in URL if the server does.',
  },
  {
    codes: ['28P01', '28000', 'ER_ACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR', 'WRONGPASS', 'NOAUTH'],
    reason: 'refuses the account or its password',
    fix: 'Correct USER:PASSWORD in URL (special characters as %40), or allow the account to connect from this host.',
    lasts: true,
  },
  {
    codes: ['3D000', 'ER_BAD_DB_ERROR', 'NO_SUCH_NUMBER'],
    reason: 'cannot be used: the server has no database of that name',
    fix: 'Correct the name after the host in URL, or create that database.',
    lasts: true,
  },
  {
    codes: ['42501', 'ER_DBACCESS_DENIED_ERROR', 'ER_TABLEACCESS_DENIED_ERROR', 'ER_COLUMNACCESS_DENIED_ERROR'],
    reason: lacksRights,
    fix: 'Grant it SELECT, INSERT, UPDATE and DELETE on the tables whose names begin with janua_.',
    lasts: true,
  },
  {
    codes: ['NOPERM'],
    reason: lacksRights,
    fix: 'ACL SETUSER NAME ~janua:* +@read +@write +@scripting +@connection',
    lasts: true,
  },
  {
    codes: ['53300', 'ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS'],
    reason: 'has no connection left',
    fix: 'Allow it more connections, or lower DATABASE_CONNECTIONS.',
  },
  { codes: ['57P03', 'LOADING'], reason: 'is starting', fix: 'Wait until it has started, and try again.' },
  {
    codes: ['READONLY', '25006', 'ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE'],
    reason: 'is read-only',
    fix: 'Name the primary in URL.',
  },
  {
    codes: [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'CERT_HAS_EXPIRED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    reason: 'has a certificate that Node does not trust',
    fix: 'Name its authority in NODE_EXTRA_CA_CERTS, or give the server a certificate for the host in URL.',
  },
];

export function readStoreFault(error: unknown) {
  const thrown = error instanceof Unavailable ? error.cause : error;
  // If a host name has several addresses, the error of the first address counts.
  const cause = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const code = codeOf(cause);
  return { cause, code, known: storeFaults.find(({ codes }) => codes.includes(code)) };
}

const lacksPassword = /password must be a/;

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if (/DB index is out of range/.test(error.message)) return 'NO_SUCH_NUMBER';
  // PostgreSQL's client throws this if the server asks for a password and the URL has none.
  if (lacksPassword.test(error.message)) return '28P01';
  return 'code' in error ? String(error.code) : (/^[A-Z]+(?= )/.exec(error.message)?.[0] ?? '');
}

/** Describes a fault that waiting does not fix: a wrong password, a missing grant or a missing database. Undefined for any other error. */
export function refusedAccount(error: unknown): Misconfiguration | undefined {
  const { cause, known } = readStoreFault(error);
  if (!known?.lasts || !(cause instanceof Error)) return undefined;
  const isRedis = error instanceof Unavailable && error.part !== databasePart;
  const [setting, store] = isRedis ? ['REDIS_URL', 'Redis'] : ['DATABASE_URL', 'The database'];
  // The message of PostgreSQL's client is about its own code, and not about the URL.
  const reason = lacksPassword.test(cause.message) ? 'it asks for a password, and the URL has none' : cause.message;
  return new Misconfiguration({
    message: `${setting}: ${store} refuses it (${reason}).`,
    fix: known.fix.replace('URL', setting),
  });
}

/** Tells whether the store refuses the account or its password. */
export const refusesPassword = (error: unknown): boolean =>
  readStoreFault(error).known?.codes.includes('28P01') === true;
