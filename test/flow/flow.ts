import { describe } from 'node:test';
import type { StoreChoice } from '../stores.ts';
import { testCredentials } from './credentials.ts';
import { testForward } from './forward.ts';
import { testHome } from './home.ts';
import { testLogin } from './login.ts';
import { testLogout } from './logout.ts';
import { testMe } from './me.ts';

/** Everything that the flow promises of every store: run once for each combination, in a file of its own. */
export function testFlow(stores: StoreChoice): void {
  const table = stores.ownTable ? 'a table of their own in ' : '';
  const where = stores.mounted ? ', in another app' : '';
  describe(`users in ${table}${stores.users}, sessions in ${stores.sessions}${where}`, () => {
    describe('login', () => testLogin(stores));
    describe('logout', () => testLogout(stores));
    describe('me', () => testMe(stores));
    describe('home', () => testHome(stores));
    describe('forward', () => testForward(stores));
    describe('credentials', () => testCredentials(stores));
  });
}
