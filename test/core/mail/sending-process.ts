import { setTimeout } from 'node:timers/promises';
import { openTestDatabase } from '../../ground/database/open.ts';
import { openOffice } from './post-office.ts';

/**
 * A process that sends the mails of a database, for `takeover.test.ts`. Prints a line whenever it has looked for mail.
 * Arguments: the URLs of the database and of the mail server.
 */
const [databaseUrl = '', mailUrl = ''] = process.argv.slice(2);
const { sender } = await openOffice({ opened: await openTestDatabase(databaseUrl), mailUrl });
sender.start();
for (;;) {
  await sender.settled();
  process.stdout.write('settled\n');
  await setTimeout(200);
}
