import { Client } from 'pg';
import { startPostgres } from '../../servers/postgres.ts';
import { testFaults } from './faults.ts';

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function execute(url: string, ...statements: string[]): Promise<void> {
  const client = await connect(url);
  for (const statement of statements) await client.query(statement);
  await client.end();
}

testFaults({
  name: 'PostgreSQL',
  part: 'The database',
  start: startPostgres,
  env: (port) => ({ DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/postgres`, DATABASE_CONNECTIONS: '2' }),
  async exhaust(url) {
    const client = await connect(url);
    await client.query('begin');
    await client.query('lock table janua_users, janua_sessions, janua_leases in access exclusive mode');
    return async () => {
      await client.query('rollback');
      await client.end();
    };
  },
  async makeReadOnly(url) {
    await execute(url, 'alter system set default_transaction_read_only = on', 'select pg_reload_conf()');
    return () =>
      execute(
        url,
        'set default_transaction_read_only = off',
        'alter system reset default_transaction_read_only',
        'select pg_reload_conf()',
      );
  },
  smallDisk: { megabytes: 64 },
});
