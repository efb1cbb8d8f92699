import type { Check } from '../../selftest/finding.ts';
import { mostMails } from '../core/mail/limits.ts';
import { findOutage } from '../core/mail/outages.ts';
import type { Database } from '../ground/database/database.ts';
import { warning, wrong } from './finding.ts';

/** Share of `mostMails` from which the operator is warned. */
const crowded = 0.8;

/**
 * Reports that the servers' last attempts to send mail failed while a mail still waits, or that too many wait. Sends nothing to a mail
 * server.
 */
export async function* checkMailOutage(database: Database): Check {
  const since = await findOutage(database);
  const waiting = database.selectFrom('janua_mails').where('due_at', 'is not', null);
  if (since && (await waiting.select('id').limit(1).executeTakeFirst()) !== undefined)
    yield wrong(
      'The mail server has taken no mail since {time}.',
      './bin/janua mail list shows why. Correct the cause, then: ./bin/janua mail retry.',
      { time: new Date(since).toISOString() },
    );
  for (const [most, mails] of [
    [mostMails.ofStrangers, waiting.where('stranger', '=', 1)],
    [mostMails.ofRequests, waiting],
  ] as const) {
    const counted = mails.select(({ fn }) => fn.countAll().as('count'));
    const count = Number((await counted.executeTakeFirstOrThrow()).count);
    if (count < most * crowded) continue;
    yield warning(
      '{count} mails wait. From {most} on, Janua drops requests for mail.',
      'If the mail server works, ./bin/janua audit --kind mail-not-sent shows who asks for so many.',
      { count: String(count), most: String(most) },
    );
    return;
  }
}
