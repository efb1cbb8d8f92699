import { testModel } from './test-model.ts';

testModel({ users: 'PostgreSQL', sessions: 'Redis' }, { commands: 400, long: 600 });
