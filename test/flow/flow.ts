import { describe } from 'node:test';
import { missing } from '../servers/missing.ts';
import type { StoreChoice } from '../stores.ts';
import { testCredentials } from './credentials.ts';
import { testForward } from './forward.ts';
import { testHome } from './home.ts';
import { testLogin } from './login.ts';
import { testLogout } from './logout.ts';
import { testMe } from './me.ts';

/**
 * Everything that the flow promises. It runs on a few pairs of stores, each in a file of its own. Together they have each database, Redis, and a
 * table of a team's own. What else differs from one store to another is in the contracts: `test/sessions`, `test/directory`, `test/throttle`.
 */
export function testFlow(stores: StoreChoice): void {
  const table = stores.ownTable ? 'a table of their own in ' : '';
  const where = stores.mounted ? ', in another app' : '';
  describe(`users in ${table}${stores.users}, sessions in ${stores.sessions}${where}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    describe('login', () => testLogin(stores));
    describe('logout', () => testLogout(stores));
    describe('me', () => testMe(stores));
    describe('home', () => testHome(stores));
    describe('forward', () => testForward(stores));
    describe('credentials', () => testCredentials(stores));
  });
}
