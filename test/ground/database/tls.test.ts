import assert from 'node:assert/strict';
import { chown, copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { Client, type ClientConfig } from 'pg';
import { createWorkplace, type Finished } from '../../commands/janua-command.ts';
import { type Certificate, createCertificate } from '../../servers/certificate.ts';
import { startMariadb } from '../../servers/mariadb.ts';
import { missing } from '../../servers/missing.ts';
import { startPostgres } from '../../servers/postgres.ts';
import type { ThrowAwayServer } from '../../servers/throw-away-server.ts';

async function migrate(url: string, authority?: string): Promise<Finished> {
  await using workplace = await createWorkplace();
  const env = { DATABASE_URL: url, ...(authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority }) };
  return await workplace.run(['migrate'], { env });
}

function expectMigrated({ code, stdout, stderr }: Finished): void {
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^(Done: |The tables are up to date)/);
}

/** Expects one line with the reason, and no stack. */
function expectRefused({ code, stdout, stderr }: Finished, reason: RegExp): void {
  assert.match(stderr, /^The database is unavailable: [^\n]+\n$/);
  assert.match(stderr, reason);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
}

let folder: string;
let right: Certificate;
let other: Certificate;
let elsewhere: Certificate;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'janua-certificates-'));
  [right, other, elsewhere] = await Promise.all([
    createCertificate(folder, 'right'),
    createCertificate(folder, 'other'),
    createCertificate(folder, 'elsewhere', 'DNS:elsewhere.example'),
  ]);
});
after(() => rm(folder, { recursive: true }));

describe('PostgreSQL that accepts TLS alone', { skip: missing('PostgreSQL') }, () => {
  let server: ThrowAwayServer;
  before(async () => {
    server = await startPostgres();
    await show(right, { connectionString: server.url });
  });
  after(() => server?.[Symbol.asyncDispose]());

  /** Makes the running server use that certificate, and refuse connections in the clear. */
  async function show({ certificate, key }: Certificate, access: ClientConfig): Promise<void> {
    await withClient(access, async (client) => {
      const { rows } = await client.query<{ data: string }>(`select current_setting('data_directory') as data`);
      const data = rows[0]?.data ?? '';
      const { uid, gid } = await stat(data);
      for (const [file, name] of [
        [certificate, 'server.crt'],
        [key, 'server.key'],
      ] as const) {
        await copyFile(file, join(data, name));
        // PostgreSQL refuses a key that belongs to another account.
        await chown(join(data, name), uid, gid);
      }
      await writeFile(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 trust\n');
      await client.query('alter system set ssl = on');
      await client.query('select pg_reload_conf()');
    });
    await untilShown(certificate);
  }

  async function untilShown(certificate: string): Promise<void> {
    const ssl = { ca: await readFile(certificate, 'utf8'), checkServerIdentity: () => undefined };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await withClient({ connectionString: server.url, ssl }, async () => {});
      } catch (error) {
        if (attempt === 200) throw error;
        await setTimeout(25);
      }
    }
  }

  const verifying = (authority: string) => `${server.url}?sslmode=verify-full&sslrootcert=${authority}`;

  test('is used if the URL or NODE_EXTRA_CA_CERTS trusts its certificate', async () => {
    expectMigrated(await migrate(verifying(right.certificate)));
    expectMigrated(await migrate(`${server.url}?sslmode=verify-full`, right.certificate));
  });

  test('is not used with an untrusted certificate, with a missing authority file, or in the clear', async () => {
    const [untrusted, unknown, missing, clear] = await Promise.all([
      migrate(verifying(other.certificate)),
      migrate(`${server.url}?sslmode=verify-full`),
      migrate(verifying(join(folder, 'missing'))),
      migrate(server.url),
    ]);
    expectRefused(untrusted, /self-signed certificate/);
    expectRefused(unknown, /self-signed certificate/);
    expectRefused(missing, /no such file/);
    expectRefused(clear, /no encryption/);
  });

  test('is not used with a certificate for another host', async () => {
    await show(elsewhere, { connectionString: verifying(right.certificate) });
    expectRefused(await migrate(verifying(elsewhere.certificate)), /not in the cert/);
  });
});

async function withClient(access: ClientConfig, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client(access);
  client.on('error', () => {});
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}

describe('MariaDB that accepts TLS alone', { skip: missing('MariaDB') }, () => {
  /** Starts a server that uses that certificate, and refuses connections in the clear. */
  async function start({ certificate, key }: Certificate): Promise<ThrowAwayServer> {
    const server = await startMariadb({ args: [`--ssl-cert=${certificate}`, `--ssl-key=${key}`] });
    const connection = await createConnection(server.url);
    await connection.query('set global require_secure_transport = on');
    await connection.end();
    return server;
  }

  /** The URL with the host name, because a certificate is for a name. */
  const named = ({ url }: ThrowAwayServer) => url.replace('127.0.0.1', 'localhost');

  test('is used if NODE_EXTRA_CA_CERTS trusts its certificate, and not otherwise or in the clear', async () => {
    await using server = await start(right);
    const [trusted, untrusted, unknown, clear] = await Promise.all([
      migrate(`${named(server)}?ssl=on`, right.certificate),
      migrate(`${named(server)}?ssl=on`, other.certificate),
      migrate(`${named(server)}?ssl=on`),
      migrate(named(server)),
    ]);
    expectMigrated(trusted);
    expectRefused(untrusted, /self-signed certificate/);
    expectRefused(unknown, /self-signed certificate/);
    // MariaDB 10.11 does not name the reason.
    expectRefused(clear, /insecure transport|Access denied/);
  });

  test('is not used with a certificate for another host', async () => {
    await using server = await start(elsewhere);
    expectRefused(await migrate(`${named(server)}?ssl=on`, elsewhere.certificate), /not in the cert/);
  });
});
