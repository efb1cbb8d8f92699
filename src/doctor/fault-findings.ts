import { type Finding, wrong } from '../../selftest/finding.ts';
import { readStoreFault } from '../core/stores/store-faults.ts';
import type { Settings } from '../ground/config/settings.ts';
import { shownUrl } from '../ground/config/shown-url.ts';
import { databasePart } from '../ground/database/errors.ts';
import { type Fault, Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { Unavailable } from '../ground/faults/unavailable.ts';
import * as finding from './finding.ts';

export const findingsOf = (faults: readonly Fault[], otherwise: string): Finding[] =>
  faults.map(({ message, fix = otherwise }) => wrong(message, fix));

export type Stores = Pick<Settings, 'DATABASE_URL' | 'REDIS_URL' | 'STORE_TIMEOUT_SECONDS'>;

export function explain(error: unknown, { DATABASE_URL, REDIS_URL = '', STORE_TIMEOUT_SECONDS }: Stores): Finding[] {
  if (error instanceof Misconfiguration)
    return findingsOf(error.faults, 'Correct the setting: ./bin/janua serve --help');
  const part = error instanceof Unavailable ? error.part : undefined;
  const [setting, url] = part === databasePart ? ['DATABASE_URL', DATABASE_URL] : ['REDIS_URL', REDIS_URL];
  const name = part === undefined ? 'The check' : `${part} (${shownUrl(url)})`;
  const { cause, code, known } = readStoreFault(error);
  const message = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
  if (code === 'ETIMEDOUT' || /no answer within|timed? ?out|timeout/i.test(message)) {
    return [
      finding.wrong('{name} gives no answer within {seconds} s.', 'Check that the server works and can be reached.', {
        name,
        seconds: STORE_TIMEOUT_SECONDS,
      }),
    ];
  }
  if (known !== undefined) return [wrong(`${name} ${known.reason}.`, known.fix.replace('URL', setting))];
  if (part === undefined)
    return [
      finding.wrong('The check failed: {message}.', 'Run it again. If it fails again, please report it.', { message }),
    ];
  return [
    finding.wrong('{name} cannot be used: {message}.', 'See its log, and check {setting}.', { name, message, setting }),
  ];
}
