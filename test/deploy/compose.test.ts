import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { BlockList } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { createWorkplace, type Workplace } from '../commands/janua-command.ts';
import { blocksOf, root } from '../page-examples.ts';
import { missing } from '../servers/missing.ts';
import { atProcessEnd } from '../servers/process-end.ts';
import { connectOnce, findRedis } from '../servers/redis.ts';
import { createDatabase } from '../servers/shared.ts';
import { findFreePort } from '../servers/throw-away-server.ts';
import { deployed, findWebServer, replaceAll, runWebServer } from './web-server.ts';

interface Service {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly profiles?: readonly string[];
  readonly command?: readonly string[];
}

interface ComposeFile {
  readonly services: Readonly<Record<'janua' | 'caddy' | 'postgres' | 'valkey', Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly configs: { readonly caddyfile: { readonly content: string } };
  readonly networks: {
    readonly front: {
      readonly ipam: { readonly config: readonly Record<'subnet' | 'ip_range' | 'gateway', string>[] };
    };
  };
}

/** Reads the file as Compose does with these variables. @see https://docs.docker.com/reference/compose-file/interpolation/ */
async function readCompose(variables: Readonly<Record<string, string>> = {}): Promise<ComposeFile> {
  function fill(whole: string, name?: string, rule?: string, other = ''): string {
    if (name === undefined) return whole === '$$' ? '$' : whole;
    const value = variables[name] ?? '';
    return rule === ':+' ? value && other : value || other;
  }
  return parse(await deployed('compose.yaml'), (_key, value: unknown) =>
    typeof value === 'string' ? value.replaceAll(/\$\$|\$\{(\w+)(?:(:[-+])([^}]*))?\}/g, fill) : value,
  );
}

const [stores = ''] = blocksOf(await readFile(join(root, 'docs/deployment.md'), 'utf8'), 'sh').filter((block) =>
  block.includes('secrets/valkey.conf'),
);

/** Starts the service `janua` as a program, with its files in the folder of the workplace. */
async function startJanua(workplace: Workplace, { services, secrets }: ComposeFile, publicUrl: string) {
  const { environment } = services.janua;
  const placed = Object.entries(environment).map(([name, value]) => {
    const [, secret] = /^\/run\/secrets\/(.*)/.exec(value) ?? [];
    if (secret !== undefined) return [name, join(workplace.folder, secrets[secret]?.file ?? assert.fail(secret))];
    return [name, value.replace(/^\/data\//, `${workplace.folder}/data/`)];
  });
  return workplace.start(['serve', '--migrate'], {
    ...Object.fromEntries(placed),
    HOST: '0.0.0.0',
    PUBLIC_URL: publicUrl,
    TRUSTED_PROXIES: '127.0.0.1',
  });
}

test('no other container can get the address of Caddy, which Janua trusts', async () => {
  const { services, networks } = await readCompose();
  const { ipv4_address: address = '' } = Object(services.caddy).networks.front;
  const [config = assert.fail()] = networks.front.ipam.config;
  const has = (network: string) => {
    const [base = '', length] = network.split('/');
    const list = new BlockList();
    list.addSubnet(base, Number(length));
    return list.check(address);
  };
  assert.deepEqual([has(config.subnet), has(config.ip_range), address === config.gateway], [true, false, false]);
  assert.ok(services.janua.environment.TRUSTED_PROXIES?.includes(address));
});

test('Caddy has the same configuration under Compose as on a machine', async () => {
  const { configs } = await readCompose({ AUTH_HOST: 'auth.example.com' });
  const [, own = ''] = (await deployed('Caddyfile')).split(/\n\n(.*)/s);
  assert.equal(configs.caddyfile.content.replace('janua:5000', '127.0.0.1:5000'), own);
});

test('followed word by word, Compose serves with SQLite behind Caddy', {
  skip: findWebServer('caddy') === undefined && 'caddy is not installed',
}, async () => {
  await using workplace = await createWorkplace();
  const compose = await readCompose();
  assert.equal(compose.services.janua.image, `localhost/janua:${manifest.version}`);
  assert.equal(compose.services.janua.environment.PUBLIC_URL, 'https://localhost');
  const [tlsPort, plainPort] = [await findFreePort(), await findFreePort()];
  const origin = `https://localhost:${tlsPort}`;
  const janua = await startJanua(workplace, compose, origin);
  await using caddy = await runWebServer('caddy', { tlsPort, plainPort }, () =>
    replaceAll(compose.configs.caddyfile.content, [
      [/^\{\n/g, `{\n\tadmin off\n\tskip_install_trust\n\thttps_port ${tlsPort}\n\thttp_port ${plainPort}\n`],
      ['https://localhost{uri}', `${origin}{uri}`],
      ['janua:5000', `127.0.0.1:${new URL(janua.url).port}`],
    ]),
  );

  const ca = join(caddy.folder, 'caddy/pki/authorities/local/root.crt');
  async function send(path: string, body?: Record<string, string>) {
    const sent = request({
      ...{ host: '127.0.0.1', port: tlsPort, servername: 'localhost', ca: await readFile(ca), agent: false, path },
      ...{ method: body === undefined ? 'GET' : 'POST', headers: { host: `localhost:${tlsPort}` } },
    });
    if (body !== undefined) sent.setHeader('content-type', 'application/x-www-form-urlencoded');
    sent.end(body && new URLSearchParams(body).toString());
    const [answer] = await once(sent, 'response');
    return { status: answer.statusCode, body: await text(answer) };
  }
  const [, token = ''] = /first-administrator\?token=([\w-]{43})/.exec(janua.output) ?? [];
  const person = { email: 'zoe@example.com', first_name: 'Zoe', last_name: 'Z', password: 'a quiet harbour town' };
  assert.equal((await send('/api/first-administrator', { token, ...person })).status, 201);
  const login = await send('/api/login', { username: person.email, password: person.password });
  assert.equal(login.status, 200, login.body);
  assert.ok((await stat(join(workplace.folder, 'data/janua.db'))).isFile());
});

test('followed word by word, the profile of Compose serves with PostgreSQL and Valkey', {
  skip: missing('PostgreSQL', 'Redis'),
}, async () => {
  await using workplace = await createWorkplace();
  await promisify(execFile)('sh', ['-euc', stores], { cwd: workplace.folder });
  const read = async (name: string) => (await readFile(join(workplace.folder, 'secrets', name), 'utf8')).trim();
  assert.equal((await stat(join(workplace.folder, 'secrets'))).mode & 0o777, 0o700);
  const variables = Object.fromEntries(
    (await readFile(join(workplace.folder, '.env'), 'utf8')).split('\n').map((line) => line.split(/=(.*)/).slice(0, 2)),
  );
  const compose = await readCompose(variables);
  const { postgres, valkey, janua: service } = compose.services;
  for (const { profiles } of [postgres, valkey]) assert.deepEqual(profiles, [variables.COMPOSE_PROFILES]);

  // The addresses name the services. Their accounts and passwords are those that the services get.
  const database = new URL(await read('database-url'));
  const redis = new URL(await read('redis-url'));
  assert.ok(database.hostname in compose.services && redis.hostname in compose.services);
  assert.equal(database.username, postgres.environment.POSTGRES_USER);
  assert.equal(database.password, await read('postgres-password'));
  const own = await createDatabase('postgres');
  const port = await findFreePort();
  const [, configuration = '', ...options] = valkey.command ?? [];
  const file = join(workplace.folder, compose.secrets[configuration.replace('/run/secrets/', '')]?.file ?? '');
  const started = spawn(
    findRedis() ?? '',
    [file, ...options, '--port', `${port}`, '--bind', '127.0.0.1', '--dir', workplace.folder],
    { stdio: 'ignore' },
  );
  const cancel = atProcessEnd(() => started.kill('SIGKILL'));
  const ended = once(started, 'exit');
  try {
    const url = Object.assign(redis, { host: `127.0.0.1:${port}` }).href;
    for (;;) {
      const client = connectOnce(url);
      const isReady = await client.ping().catch(() => false);
      client.disconnect();
      if (isReady) break;
      assert.equal(started.exitCode, null, 'the server of the sessions did not start');
    }
    // The same secrets, with the addresses of this machine.
    await writeFile(join(workplace.folder, 'secrets/database-url'), own.url);
    await writeFile(join(workplace.folder, 'secrets/redis-url'), url);
    assert.deepEqual(service.secrets, ['database-url', 'redis-url']);
    const janua = await startJanua(workplace, compose, 'https://auth.example.com');
    const details = ['--first-name', 'A', '--last-name', 'B'];
    const env = { DATABASE_URL: own.url, REDIS_URL: url };
    const input = 'a quiet harbour town';
    const added = await workplace.run(['users', 'add', 'ann@example.com', ...details], { env, input });
    assert.equal(added.code, 0, added.stderr);
    const body = new URLSearchParams({ username: 'ann@example.com', password: input });
    const login = await fetch(`${janua.url}/api/login`, { method: 'POST', body });
    assert.equal(login.status, 200, await login.text());
    const client = connectOnce(url);
    assert.ok((await client.dbsize()) > 0, 'the session is in Valkey');
    client.disconnect();
    await janua.stop();
  } finally {
    started.kill('SIGKILL');
    await ended;
    cancel();
    await own.drop();
  }
});
