import { testModel } from './test-model.ts';

testModel({ users: 'SQLite', sessions: 'SQL' }, 1000);
