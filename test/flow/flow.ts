import { describe } from 'node:test';
import { missing } from '../servers/missing.ts';
import type { StoreChoice } from '../stores.ts';
import { testAccount } from './account.ts';
import { testConfirm } from './confirm.ts';
import { testCredentials } from './credentials.ts';
import { testForward } from './forward.ts';
import { testHome } from './home.ts';
import { testLanguage } from './language.ts';
import { testLogin } from './login.ts';
import { testLogout } from './logout.ts';
import { testMe } from './me.ts';
import { isWhole } from './part.ts';
import { testRemember } from './remember.ts';
import { testSecondFactor } from './second-factor.ts';
import { testSessions } from './sessions.ts';

/**
 * The flow, for a pair of stores. Each pair runs in a file of its own. Together they cover each database, Redis, and a team's own table.
 * The flow is whole on SQLite in our own server. Elsewhere it is what touches the stores, or the app around Janua, in two faces of each action.
 * The contracts cover the other differences between stores: `test/core/sessions`, `test/core/users`, `test/core/throttle`.
 */
export function testFlow(stores: StoreChoice): void {
  const table = stores.ownTable ? "a team's own table in " : '';
  const where = stores.mounted ? ', in another app' : '';
  describe(`users in ${table}${stores.users}, sessions in ${stores.sessions}${where}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    describe('login', () => testLogin(stores));
    describe('logout', () => testLogout(stores));
    describe('me', () => testMe(stores));
    describe('confirm', () => testConfirm(stores));
    describe('language', () => testLanguage(stores));
    describe('forward', () => testForward(stores));
    if (stores.mounted || isWhole(stores)) describe('home', () => testHome(stores));
    if (isWhole(stores)) describe('credentials', () => testCredentials(stores));
    else if (stores.mounted) return;
    describe('sessions', () => testSessions(stores));
    describe('remember', () => testRemember(stores));
    describe('account', () => testAccount(stores));
    describe('second factor', () => testSecondFactor(stores));
  });
}
