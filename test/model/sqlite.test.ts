import { testModel } from './test-model.ts';

testModel({ users: 'SQLite', sessions: 'SQL' }, { commands: 600, long: 3000 });
