import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { createWorkplace } from '../commands/janua-command.ts';
import { isLong } from '../long.ts';
import { root } from '../page-examples.ts';
import { systemPython } from '../servers/authlib.ts';
import { missing } from '../servers/missing.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { createDatabase } from '../servers/shared.ts';
import { deployed } from './web-server.ts';

const run = promisify(execFile);

interface Deployment {
  readonly kind: string;
  readonly spec: {
    readonly replicas: number;
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          { readonly image: string; readonly env: readonly { readonly name: string; readonly value: string }[] },
        ];
      };
    };
  };
}

test('followed word by word, Kubernetes serves with several servers on PostgreSQL', {
  skip: missing('PostgreSQL'),
}, async () => {
  const documents = parseAllDocuments(await deployed('kubernetes.yaml')).map((document) => document.toJS());
  const { spec } = documents.find(({ kind }) => kind === 'Deployment') as Deployment;
  const [container] = spec.template.spec.containers;
  assert.equal(container.image, `localhost/janua:${manifest.version}`);
  const environment = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  await using workplace = await createWorkplace();
  const own = await createDatabase('postgres');
  try {
    // The key by the command of the page.
    const page = await readFile(join(root, 'docs/deployment.md'), 'utf8');
    const [, command = ''] = /--from-literal=encryption\.key="\$\((.*)\)"/.exec(page) ?? [];
    const { stdout: key } = await run('sh', ['-euc', command]);
    const files: Readonly<Record<string, string>> = { 'database-url': own.url, 'encryption.key': key };
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(workplace.folder, name), content);
      await chmod(join(workplace.folder, name), 0o440);
    }
    const env = {
      ...Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [name, value.replace(/^\/etc\/janua/, workplace.folder)]),
      ),
      HOST: '0.0.0.0',
      TRUSTED_PROXIES: '127.0.0.1',
      DRAIN_SECONDS: '0',
    };
    const start = () => workplace.start(['serve', '--migrate'], env);
    const servers = await Promise.all(Array.from({ length: spec.replicas }, start));
    const tokens = servers.map(({ output }) => /first-administrator\?token=([\w-]{43})/.exec(output)?.[1] ?? '');
    const person = { email: 'zoe@example.com', first_name: 'Zoe', last_name: 'Z', password: 'a quiet harbour town' };
    const statuses: number[] = [];
    for (const token of tokens) {
      const body = new URLSearchParams({ token, ...person });
      statuses.push((await fetch(`${servers[0]?.url}/api/first-administrator`, { method: 'POST', body })).status);
    }
    assert.deepEqual(statuses.toSorted(), [201, 410], 'one of the links works');
    const body = new URLSearchParams({ username: person.email, password: person.password });
    const login = await fetch(`${servers[0]?.url}/api/login`, { method: 'POST', body });
    const { access_token } = (await login.json()) as { access_token: string };
    const client = ['--name', 'App', '--redirect-uri', 'https://app.example.com/back'];
    assert.equal((await workplace.run(['clients', 'add', ...client], { env })).code, 0);
    const readKeys = async (url = '') => (await fetch(`${url}/oidc/jwks`)).text();
    const keys = await readKeys(servers[0]?.url);
    assert.match(keys, /"kid"/);
    // A rolling restart: a new server is ready before an old one ends.
    for (const old of servers) {
      const next = await start();
      await old.stop();
      for (const path of ['/api/me', '/api/admin'])
        assert.equal(
          (await fetch(next.url + path, { headers: { authorization: `Bearer ${access_token}` } })).status,
          200,
        );
      assert.equal(await readKeys(next.url), keys, 'each server decrypts the keys of the others');
    }
  } finally {
    await own.drop();
  }
});

test('each object of kubernetes.yaml is valid', {
  skip: !isLong && 'it belongs to npm run test:long',
}, async () => {
  const { path, remove } = createTemporaryFolder('kubernetes');
  try {
    await run(systemPython, ['-m', 'venv', path]);
    await run(join(path, 'bin/pip'), ['install', '--quiet', '--no-input', 'kubernetes-validate']);
    const file = fileURLToPath(new URL('../../deploy/kubernetes.yaml', import.meta.url));
    await run(join(path, 'bin/kubernetes-validate'), ['--strict', file]);
  } finally {
    remove();
  }
});
