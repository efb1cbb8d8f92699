import { testFlow } from './flow.ts';

testFlow({ users: 'SQLite', sessions: 'SQL' });
