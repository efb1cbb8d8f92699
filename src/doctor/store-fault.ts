import { type Finding, wrong } from '../../selftest/finding.ts';
import type { Settings } from '../config/settings.ts';
import { shownUrl } from '../config/shown-url.ts';
import { databasePart } from '../database/errors.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { faultsAsSaid } from './finding.ts';

interface Explanation {
  readonly codes: readonly string[];
  /** Goes on after the store's name. */
  readonly reason: string;
  readonly fix: string;
}

/** `URL` stands for the setting. The codes are Node's, PostgreSQL's SQLSTATE, MySQL's names, and Redis' first words. */
const explanations: readonly Explanation[] = [
  {
    codes: ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'],
    reason: 'cannot be reached: nobody takes the connection',
    fix: 'Start the server, or correct host and port in URL.',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    reason: 'cannot be reached: its host name is not known',
    fix: 'Correct the host in URL.',
  },
  {
    codes: ['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST'],
    reason: 'ended the connection',
    fix: 'Look into its log; with or without TLS must be as it has it.',
  },
  {
    codes: ['28P01', '28000', 'ER_ACCESS_DENIED_ERROR', 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR', 'WRONGPASS', 'NOAUTH'],
    reason: 'refuses the account or its password',
    fix: 'Correct USER:PASSWORD in URL (special characters as %40), or let the account in from this host.',
  },
  {
    codes: ['3D000', 'ER_BAD_DB_ERROR', 'NO_SUCH_NUMBER'],
    reason: 'has no database of that name',
    fix: 'Correct the name after the host in URL, or make that database.',
  },
  {
    codes: ['42501', 'ER_DBACCESS_DENIED_ERROR', 'ER_TABLEACCESS_DENIED_ERROR', 'ER_COLUMNACCESS_DENIED_ERROR'],
    reason: 'does not allow the account what Janua has to do',
    fix: 'Grant it SELECT, INSERT, UPDATE and DELETE on the tables whose names begin with janua_.',
  },
  {
    codes: ['NOPERM'],
    reason: 'does not allow the account what Janua has to do',
    fix: 'ACL SETUSER NAME ~janua:* +@read +@write +@scripting +@connection',
  },
  {
    codes: ['53300', 'ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS'],
    reason: 'has no connection left',
    fix: 'Allow it more connections, or lower DATABASE_CONNECTIONS.',
  },
  {
    codes: ['57P03', 'LOADING'],
    reason: 'is starting',
    fix: 'Wait until it has started, and look again.',
  },
  {
    codes: ['READONLY', '25006', 'ER_OPTION_PREVENTS_STATEMENT', 'ER_READ_ONLY_MODE'],
    reason: 'is read-only',
    fix: 'Name the primary in URL.',
  },
  {
    codes: [
      ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
      ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ],
    reason: 'shows a certificate that is not trusted here',
    fix: 'Give Node its authority by NODE_EXTRA_CA_CERTS, or the server a certificate for the host in URL.',
  },
];

export type Stores = Pick<Settings, 'DATABASE_URL' | 'REDIS_URL' | 'STORE_TIMEOUT_SECONDS'>;

/** What was thrown by a check, in words and never with a stack. */
export function explain(error: unknown, { DATABASE_URL, REDIS_URL = '', STORE_TIMEOUT_SECONDS }: Stores): Finding[] {
  if (error instanceof Misconfiguration) return faultsAsSaid(error, 'Correct the setting: npx janua serve --help');
  const isDatabase = error instanceof Unavailable && error.part === databasePart;
  const setting = isDatabase ? 'DATABASE_URL' : 'REDIS_URL';
  const part =
    error instanceof Unavailable
      ? `${error.part} (${shownUrl(isDatabase ? DATABASE_URL : REDIS_URL)})`
      : 'What was looked at';
  const cause = causeOf(error);
  const message = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
  if (isTimeout(message, codeOf(cause)))
    return [
      wrong(
        `${part} gives no answer within ${STORE_TIMEOUT_SECONDS} s.`,
        'Look whether the server works and can be reached.',
      ),
    ];
  const known = explanations.find(({ codes }) => codes.includes(codeOf(cause)));
  if (known !== undefined) return [wrong(`${part} ${known.reason}.`, known.fix.replace('URL', setting))];
  if (!(error instanceof Unavailable))
    return [wrong(`It could not be looked at: ${message}.`, 'Look again; if it stays so, please report it.')];
  return [wrong(`${part} cannot be used: ${message}.`, `Look into its log, and at ${setting}.`)];
}

/** The driver's own error. A name with several addresses gives one error for each. */
function causeOf(error: unknown): unknown {
  const cause = error instanceof Unavailable ? error.cause : error;
  return cause instanceof AggregateError ? cause.errors[0] : cause;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if (/DB index is out of range/.test(error.message)) return 'NO_SUCH_NUMBER';
  // What PostgreSQL's client says where the server asks for a password and there is none.
  if (/password must be a/.test(error.message)) return '28P01';
  return 'code' in error ? String(error.code) : (/^[A-Z]+(?= )/.exec(error.message)?.[0] ?? '');
}

const isTimeout = (message: string, code: string) =>
  code === 'ETIMEDOUT' || /no answer within|timed? ?out|timeout/i.test(message);
