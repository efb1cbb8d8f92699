import { type Connection, createConnection } from 'mysql2/promise';
import { startMariadb } from '../../servers/mariadb.ts';
import { testFaults } from './faults.ts';

async function connect(url: string): Promise<Connection> {
  const connection = await createConnection(url);
  connection.on('error', () => {});
  return connection;
}

async function execute(url: string, ...statements: string[]): Promise<void> {
  const connection = await connect(url);
  for (const statement of statements) await connection.query(statement);
  await connection.end();
}

testFaults({
  name: 'MariaDB',
  part: 'The database',
  start: startMariadb,
  env: (port) => ({ DATABASE_URL: `mysql://janua:secret@127.0.0.1:${port}/empty`, DATABASE_CONNECTIONS: '2' }),
  prepare: (url) =>
    execute(url, "create user janua@'%' identified by 'secret'", "grant all privileges on empty.* to janua@'%'"),
  async exhaust(url) {
    const connection = await connect(url);
    await connection.query('lock tables janua_users write, janua_sessions write, janua_leases write');
    return async () => {
      await connection.query('unlock tables');
      await connection.end();
    };
  },
  async makeReadOnly(url) {
    await execute(url, 'set global read_only = on');
    return () => execute(url, 'set global read_only = off');
  },
  smallDisk: { megabytes: 112 },
});
