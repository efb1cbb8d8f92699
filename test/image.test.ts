import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isLong } from './long.ts';
import { findProgram } from './servers/find-program.ts';
import { atProcessEnd, createTemporaryFolder } from './servers/process-end.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const needed = ['buildah', 'unshare', 'setpriv'].filter((name) => findProgram(name) === undefined);
const password = 'correct horse battery';

/** An account that neither the image nor the machine knows. */
const stranger = 12_345;

interface Image {
  readonly folder: string;
  readonly config: {
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
  };
}

/** Builds the image, and unpacks it as a container engine would. */
async function unpackImage(folder: string): Promise<Image> {
  const scripts = [join(root, 'scripts/image.ts'), '--processor', process.arch, folder];
  const { stdout } = await run(process.execPath, scripts, { cwd: folder });
  const [archive = ''] = stdout.trim().split('\n').slice(-1);
  const layout = join(folder, 'layout');
  const files = join(folder, 'files');
  await mkdir(layout);
  await mkdir(files);
  await run('tar', ['--extract', '--file', join(folder, archive), '--directory', layout]);
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8'));
  const index = await read(join(layout, 'index.json'));
  const manifest = await read(blob(index.manifests[0].digest));
  for (const { digest } of manifest.layers)
    await run('tar', ['--extract', '--file', blob(digest), '--directory', files]);
  const { config } = await read(blob(manifest.config.digest));
  return { folder: files, config };
}

test('the image serves for any account from a read-only root, and loses nothing when it is killed', {
  skip: !isLong ? 'it belongs to npm run test:long' : needed.length > 0 ? `not installed: ${needed}` : false,
}, async () => {
  const { path, remove } = createTemporaryFolder('image');
  try {
    const { folder, config } = await unpackImage(path);
    const data = join(path, 'volume');
    await mkdir(data);
    await chmod(data, 0o777);
    const environment = Object.fromEntries(config.Env.map((line) => line.split(/=(.*)/s).slice(0, 2)));
    const [node = ''] = config.Entrypoint;

    function start(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
      const steps = `mount --bind "$0" "$0" && mount --bind "$1" "$0/data" && mount -o remount,ro,bind "$0" && shift &&
        exec chroot --userspec=${stranger}:${stranger} "$0" "$@"`;
      const child = spawn('unshare', ['--mount', 'sh', '-c', steps, folder, data, ...command], {
        env: { ...environment, HOST: '127.0.0.1', PORT: '0', ...env },
      });
      const cancel = atProcessEnd(() => child.kill('SIGKILL'));
      child.once('exit', cancel);
      return child;
    }
    async function serve() {
      const child = start([...config.Entrypoint, ...config.Cmd]);
      for await (const line of createInterface(child.stdout)) {
        const { msg, port } = JSON.parse(line);
        if (msg === 'ready') return { child, url: `http://127.0.0.1:${port}`, port };
      }
      return assert.fail('the server did not start');
    }
    const first = await serve();
    const add = start([...config.Entrypoint, ...'users add ann@example.com --first-name A --last-name B'.split(' ')]);
    add.stdin.end(password);
    assert.deepEqual(await once(add, 'exit'), [0, null]);
    const login = await fetch(`${first.url}/api/login`, {
      method: 'POST',
      body: new URLSearchParams({ username: 'ann@example.com', password }),
    });
    const { access_token } = (await login.json()) as { access_token: string };
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');

    const second = await serve();
    const me = await fetch(`${second.url}/api/me`, { headers: { authorization: `Bearer ${access_token}` } });
    assert.equal(me.status, 200);
    const health = () => once(start([node, '/janua/bin/health.mjs'], { PORT: `${second.port}` }), 'exit');
    assert.deepEqual(await health(), [0, null]);
    second.child.kill('SIGTERM');
    assert.deepEqual(await once(second.child, 'exit'), [0, null]);
    assert.deepEqual(await health(), [1, null]);
    // There is no shell to run.
    assert.notEqual((await once(start(['/bin/sh', '-c', 'true']), 'exit'))[0], 0);
  } finally {
    remove();
  }
});
