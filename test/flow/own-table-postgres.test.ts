import { testFlow } from './flow.ts';

testFlow({ users: 'PostgreSQL', sessions: 'SQL', ownTable: true });
