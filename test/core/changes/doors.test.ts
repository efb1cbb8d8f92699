import { describe } from 'node:test';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { testDoors } from './doors.ts';

const stores: readonly StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
  { users: 'PostgreSQL', sessions: 'SQL', ownTable: true },
  { users: 'MariaDB', sessions: 'SQL', ownTable: true },
];

for (const store of stores)
  describe(
    `${store.users}, sessions in ${store.sessions}${store.ownTable ? ', own table' : ''}`,
    { skip: missing(store.users, store.sessions) },
    () => testDoors(store),
  );
