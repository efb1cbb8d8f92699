import type { Check } from '../../selftest/finding.ts';
import { findOutage } from '../core/mail/outages.ts';
import type { Database } from '../ground/database/database.ts';
import { wrong } from './told.ts';

/** Whether the last attempts of the servers to send mail failed. Asks the mail server nothing. */
export async function* checkMailOutage(database: Database): Check {
  const since = await findOutage(database);
  if (since)
    yield wrong(
      'The mail server has taken no mail since {time}.',
      'npx janua mail list shows why. Correct the cause, then: npx janua mail retry.',
      { time: new Date(since).toISOString() },
    );
}
