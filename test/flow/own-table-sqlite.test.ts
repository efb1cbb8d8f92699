import { testFlow } from './flow.ts';

testFlow({ users: 'SQLite', sessions: 'Redis', ownTable: true });
