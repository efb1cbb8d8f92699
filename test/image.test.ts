import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hash } from '@node-rs/argon2';
import { openVersion02 } from './ground/database/version-0.2.ts';
import { isLong } from './long.ts';
import { findProgram } from './servers/find-program.ts';
import { atProcessEnd, createTemporaryFolder } from './servers/process-end.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const person = { email: 'ann@example.com', first_name: 'A', last_name: 'B', password: 'correct horse battery' };

/** An account that neither the image nor the machine knows. */
const stranger = 12_345;

/** Runs programs for the other processor: Debian's `qemu-user-static`, 7.2 or newer. */
const emulator = findProgram('qemu-aarch64-static');

interface Image {
  readonly folder: string;
  readonly config: {
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
  };
}

/** Builds the image, and unpacks it as a container engine would. */
async function unpackImage(folder: string, processor: string): Promise<Image> {
  const scripts = [join(root, 'scripts/image.ts'), '--processor', processor, folder];
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

type Environment = Readonly<Record<string, string>>;

/** What the volume `/data` is: a folder of this machine, or a file system in memory of a size. */
type Volume = { readonly folder: string } | { readonly size: string };

/** Starts programs of the image as an engine does: in its root, which is read-only, as an account that the image does not know. */
function createStart({ folder, config }: Image, emulation?: string) {
  const prefix = emulation === undefined ? [] : [`/tmp/${basename(emulation)}`];
  return (command: readonly string[], volume: Volume, env: Environment = {}): ChildProcessWithoutNullStreams => {
    const mounting =
      'folder' in volume ? ['--bind', volume.folder] : ['-t', 'tmpfs', '-o', `mode=1777,size=${volume.size}`, 'none'];
    const data = mounting.map((word) => `'${word}'`).join(' ');
    // The folder /tmp of the image takes the emulator.
    const tools = emulation === undefined ? '' : `mount --bind '${join(emulation, '..')}' "$0/tmp" &&`;
    const steps = `mount --bind "$0" "$0" && ${tools} mount ${data} "$0/data" && mount -o remount,ro,bind "$0" &&
      exec chroot --userspec=${stranger}:${stranger} "$0" "$@"`;
    const environment = Object.fromEntries(config.Env.map((line) => line.split(/=(.*)/s).slice(0, 2)));
    const child = spawn('unshare', ['--mount', 'sh', '-c', steps, folder, ...prefix, ...command], {
      env: { ...environment, HOST: '127.0.0.1', PORT: '0', ...env },
    });
    const cancel = atProcessEnd(() => child.kill('SIGKILL'));
    child.once('exit', cancel);
    return child;
  };
}

const needed = ['buildah', 'unshare', 'setpriv'].filter((name) => findProgram(name) === undefined);

for (const processor of ['x64', 'arm64']) {
  const isOwn = processor === process.arch;
  const lacks = [...needed, ...(isOwn || emulator !== undefined ? [] : ['qemu-user-static'])];
  const skip = !isLong ? 'it belongs to npm run test:long' : lacks.length > 0 && `not installed: ${lacks}`;
  describe(`the image for ${processor}`, { skip }, () => {
    const place = skip === false ? createTemporaryFolder('image') : undefined;
    let image: Image;
    let start: ReturnType<typeof createStart>;

    before(async () => {
      const { path = '' } = place ?? {};
      image = await unpackImage(path, processor);
      if (isOwn || emulator === undefined) start = createStart(image);
      else {
        await mkdir(join(path, 'tools'));
        const copy = join(path, 'tools', basename(emulator));
        await copyFile(emulator, copy);
        start = createStart(image, copy);
      }
    });
    after(() => place?.remove());

    /** Makes an empty volume. @param mode decides what other accounts than root may do there */
    async function createVolume(mode = '777') {
      const folder = await mkdtemp(join(place?.path ?? '', 'volume-'));
      await run('chmod', [mode, folder]);
      return { folder };
    }

    const command = () => [...image.config.Entrypoint, ...image.config.Cmd];

    async function serve(volume: Volume, env: Environment = {}) {
      const child = start(command(), volume, env);
      let token: string | undefined;
      for await (const line of createInterface(child.stdout)) {
        const { msg, port } = JSON.parse(line);
        token ??= /first-administrator\?token=([\w-]{43})/.exec(msg)?.[1];
        if (msg === 'ready') return { child, url: `http://127.0.0.1:${port}`, port, token };
      }
      return assert.fail('the server did not start');
    }

    const send = (url: string, body: Record<string, string>) =>
      fetch(url, { method: 'POST', body: new URLSearchParams(body) });

    async function signIn(url: string): Promise<string> {
      const login = await send(`${url}/api/login`, { username: person.email, password: person.password });
      return ((await login.json()) as { access_token: string }).access_token;
    }

    const statusOf = async (url: string, token: string) =>
      (await fetch(`${url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status;

    test('makes the first administrator, and loses nothing when it is killed', async () => {
      const volume = await createVolume();
      const first = await serve(volume);
      const { token = '' } = first;
      assert.equal((await send(`${first.url}/api/first-administrator`, { token, ...person })).status, 201);
      const session = await signIn(first.url);
      first.child.kill('SIGKILL');
      await once(first.child, 'exit');

      const second = await serve(volume);
      assert.equal(second.token, undefined);
      assert.equal(await statusOf(second.url, session), 200);
      const [node = ''] = image.config.Entrypoint;
      const health = () => once(start([node, '/janua/bin/health.mjs'], volume, { PORT: `${second.port}` }), 'exit');
      assert.deepEqual(await health(), [0, null]);
      second.child.kill('SIGTERM');
      assert.deepEqual(await once(second.child, 'exit'), [0, null]);
      assert.deepEqual(await health(), [1, null]);
    });

    test('has no shell', async () => {
      const [code] = await once(start(['/bin/sh', '-c', 'true'], await createVolume()), 'exit');
      assert.notEqual(code, 0);
    });

    if (!isOwn) return;

    test('brings OpenTelemetry, which the package leaves out', async () => {
      const { child } = await serve(await createVolume(), { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
      child.kill('SIGTERM');
      await once(child, 'exit');
    });

    test('upgrades the database of version 0.2, whose users sign in as before', async () => {
      const volume = await createVolume();
      const file = join(volume.folder, 'janua.db');
      {
        await using former = await openVersion02('SQLite');
        await former.run(`
          insert into janua_users (id, username, password_hash, first_name, last_name, created_at)
            values ('7', '${person.email}', '${await hash(person.password)}', 'A', 'B', 5);
          insert into janua_memberships (id, group_name, user_id, username)
            values ('admins 7', 'admins', '7', '${person.email}');
          vacuum into '${file}';`);
      }
      await chmod(file, 0o666);
      const { child, url, token } = await serve(volume);
      assert.equal(token, undefined, 'there is an administrator');
      const session = await signIn(url);
      assert.equal(await statusOf(url, session), 200);
      child.kill('SIGTERM');
      await once(child, 'exit');
    });

    test('loses no session when two containers take turns on one volume', async () => {
      const volume = await createVolume();
      let { child, url, token = '' } = await serve(volume);
      await send(`${url}/api/first-administrator`, { token, ...person });
      const sessions = [await signIn(url)];
      for (const _ of [1, 2, 3]) {
        const next = await serve(volume);
        child.kill('SIGTERM');
        assert.deepEqual(await once(child, 'exit'), [0, null]);
        ({ child, url } = next);
        sessions.push(await signIn(url));
        for (const session of sessions) assert.equal(await statusOf(url, session), 200);
      }
      child.kill('SIGKILL');
      await once(child, 'exit');
    });

    test('starts again after a kill while it makes the tables', async () => {
      for (const milliseconds of [300, 450, 600, 750, 900]) {
        const volume = await createVolume();
        const killed = start(command(), volume);
        const ended = once(killed, 'exit');
        await Promise.race([ended, setTimeout(milliseconds)]);
        killed.kill('SIGKILL');
        await ended;
        const { child, url, token = '' } = await serve(volume);
        assert.equal((await send(`${url}/api/first-administrator`, { token, ...person })).status, 201);
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    });

    for (const [name, volume, env, message] of [
      ['a volume of root', () => createVolume('755'), {}, /the account uid 12345 may not open the file.*chown/],
      ['a full disk', () => ({ size: '64k' }), {}, /^The database is unavailable: database or disk is full\.\n$/],
      [
        'a secret file that is not there',
        createVolume,
        { DATABASE_URL_FILE: '/run/secrets/database-url' },
        /^DATABASE_URL_FILE: the file cannot be read\.\n$/,
      ],
      [
        'a secret file without an address',
        createVolume,
        { DATABASE_URL_FILE: '/etc/nsswitch.conf' },
        /^DATABASE_URL must be sqlite: and a path/,
      ],
      ['an address for others, and no proxy', createVolume, { HOST: '0.0.0.0' }, /^PUBLIC_URL must be set/],
    ] as const)
      test(`says what is wrong with ${name}`, async () => {
        const child = start(command(), await volume(), env);
        const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
        assert.notEqual(code, 0);
        assert.match(stderr, message);
      });
  });
}
