import { testModel } from './test-model.ts';

testModel({ users: 'MariaDB', sessions: 'SQL' }, 600);
