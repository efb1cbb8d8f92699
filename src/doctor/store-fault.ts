import { type Finding, wrong } from '../../selftest/finding.ts';
import type { Settings } from '../config/settings.ts';
import { shownUrl } from '../config/shown-url.ts';
import { databasePart } from '../database/errors.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { readStoreFault } from '../stores/store-faults.ts';
import { findingsOf } from './finding.ts';

export type Stores = Pick<Settings, 'DATABASE_URL' | 'REDIS_URL' | 'STORE_TIMEOUT_SECONDS'>;

/** Explains an error of a check in words, without a stack. */
export function explain(error: unknown, { DATABASE_URL, REDIS_URL = '', STORE_TIMEOUT_SECONDS }: Stores): Finding[] {
  if (error instanceof Misconfiguration) return findingsOf(error.faults, 'Correct the setting: npx janua serve --help');
  const part = error instanceof Unavailable ? error.part : undefined;
  const [setting, url] = part === databasePart ? ['DATABASE_URL', DATABASE_URL] : ['REDIS_URL', REDIS_URL];
  const name = part === undefined ? 'What was looked at' : `${part} (${shownUrl(url)})`;
  const { cause, code, known } = readStoreFault(error);
  const message = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
  if (code === 'ETIMEDOUT' || /no answer within|timed? ?out|timeout/i.test(message)) {
    const late = `${name} gives no answer within ${STORE_TIMEOUT_SECONDS} s.`;
    return [wrong(late, 'Look whether the server works and can be reached.')];
  }
  if (known !== undefined) return [wrong(`${name} ${known.reason}.`, known.fix.replace('URL', setting))];
  if (part === undefined)
    return [wrong(`It could not be looked at: ${message}.`, 'Look again; if it stays so, please report it.')];
  return [wrong(`${name} cannot be used: ${message}.`, `Look into its log, and at ${setting}.`)];
}
