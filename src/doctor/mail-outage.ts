import type { Check } from '../../selftest/finding.ts';
import { findOutage } from '../core/mail/outages.ts';
import type { Database } from '../ground/database/database.ts';
import { wrong } from './told.ts';

/** Whether the last attempts of the servers to send mail failed, and a mail still waits. Asks the mail server nothing. */
export async function* checkMailOutage(database: Database): Check {
  const since = await findOutage(database);
  const waiting = database.selectFrom('janua_mails').select('id').where('due_at', 'is not', null).limit(1);
  if (since && (await waiting.executeTakeFirst()) !== undefined)
    yield wrong(
      'The mail server has taken no mail since {time}.',
      'npx janua mail list shows why. Correct the cause, then: npx janua mail retry.',
      { time: new Date(since).toISOString() },
    );
}
