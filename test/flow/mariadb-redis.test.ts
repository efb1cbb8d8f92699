import { testFlow } from './flow.ts';

testFlow({ users: 'MariaDB', sessions: 'Redis' });
