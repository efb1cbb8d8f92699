import { testModel } from './test-model.ts';

testModel({ users: 'MariaDB', sessions: 'SQL' }, { commands: 400, long: 600 });
