import { openTestDatabase } from '../../ground/database/open.ts';
import { openNotices } from './notices.ts';

/** A process that sends notices of logouts until it is killed. Arguments: the URLs of the database and of the receiver. */
const [databaseUrl = '', url = ''] = process.argv.slice(2);
const { database } = await openTestDatabase(databaseUrl);
openNotices({ database, url, isAlive: () => false }).start();
setInterval(() => {}, 60_000);
