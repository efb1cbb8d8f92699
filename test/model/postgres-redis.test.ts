import { testModel } from './test-model.ts';

testModel({ users: 'PostgreSQL', sessions: 'Redis' }, 600);
