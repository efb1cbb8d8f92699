import { execFile } from 'node:child_process';
import { cp, glob, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };

/**
 * Builds the package to publish, in `dist/` or in the folder given as an argument. It holds JavaScript, the declarations of the
 * library, the files that the code reads at run time, and the files for a deployment. It needs JavaScript because Node strips no
 * types below `node_modules`. It leaves out the pinned Node, which is for checkouts.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const target = resolve(process.argv[2] ?? join(root, 'dist'));

const pico = '@picocss/pico';

/** The module that programs import. The command reaches everything else. */
const library = 'src/janua';

await rm(target, { recursive: true, force: true });
await compile();
await keepDeclarations(await findDeclarations(`${library}.d.ts`));
for await (const file of glob('src/**/*.*', { cwd: root, exclude: ['**/*.ts'] })) await copy(file);
for (const file of [
  'bin/janua.mjs',
  'bin/health.mjs',
  'bin/own-node.mjs',
  'bin/needed-node.cjs',
  'deploy',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
])
  await copy(file);
for (const kind of ['cjs', 'mjs']) {
  // A checkout has no JavaScript of it.
  const entry = await readFile(join(root, `${library}.${kind}`), 'utf8');
  await writeFile(join(target, `${library}.${kind}`), entry.replace('./janua.ts', './janua.js'));
}
await writeFile(join(target, `${library}.d.cts`), "export * from './janua.js';\n");
// Of Pico's 20 MB, a page needs one file.
for (const file of ['css/pico.classless.min.css', 'LICENSE.md', 'package.json'])
  await copy(`node_modules/${pico}/${file}`);
await writeFile(join(target, 'package.json'), `${JSON.stringify(packageManifest(), undefined, 2)}\n`);

async function compile(): Promise<void> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '--project', join(root, 'tsconfig.build.json'), '--outDir', target];
  // The compiler reports errors on standard output.
  await promisify(execFile)(process.execPath, args).catch((error: { stdout: string }) => {
    process.stderr.write(error.stdout);
    process.exit(1);
  });
}

/** Finds the declarations that the library's own declarations import. Gives their text by path. */
async function findDeclarations(file: string, found = new Map<string, string>()): Promise<Map<string, string>> {
  if (found.has(file)) return found;
  // In declarations the compiler does not rewrite imports of `.ts` files.
  const compiled = await readFile(join(target, file), 'utf8');
  const text = compiled.replaceAll(/(['"]\.{1,2}\/[^'"]*)\.ts(?=['"])/g, '$1.js');
  found.set(file, text);
  for (const [, imported = ''] of text.matchAll(/['"](\.{1,2}\/[^'"]*)\.js['"]/g))
    await findDeclarations(`${join(dirname(file), imported)}.d.ts`, found);
  return found;
}

async function keepDeclarations(kept: ReadonlyMap<string, string>): Promise<void> {
  for await (const file of glob('{src,selftest}/**/*.d.ts', { cwd: target })) await rm(join(target, file));
  for (const [file, text] of kept) await writeFile(join(target, file), text);
}

async function copy(file: string): Promise<void> {
  await cp(join(root, file), join(target, file), { recursive: true });
}

/**
 * It has no install scripts. Fastify is a peer dependency, so that an app that mounts Janua has only one Fastify. OpenTelemetry is an
 * optional one: it is a fifth of the size, and only traces need it. An app may have any version of it, so `devDependencies`, which npm
 * does not install for those who use a package, name the tested ones.
 */
function packageManifest(): object {
  const { name, version, description, license, type, bin } = manifest;
  const { fastify, ...all } = manifest.dependencies;
  const [forTraces, others] = [true, false].map((wanted) =>
    Object.entries(all).filter(([library]) => library.startsWith('@opentelemetry/') === wanted),
  ) as [[string, string][], [string, string][]];
  const optional = <Value>(value: Value) => Object.fromEntries(forTraces.map(([library]) => [library, value]));
  return {
    name,
    version,
    description,
    license,
    type,
    bin,
    main: `./${library}.cjs`,
    types: `./${library}.d.cts`,
    exports: {
      '.': {
        import: { types: `./${library}.d.ts`, default: `./${library}.mjs` },
        require: { types: `./${library}.d.cts`, default: `./${library}.cjs` },
      },
      './package.json': './package.json',
    },
    engines: { node: '>=24' },
    dependencies: Object.fromEntries(others),
    devDependencies: Object.fromEntries(forTraces),
    bundleDependencies: [pico],
    peerDependencies: { fastify: `^${fastify}`, ...optional('*') },
    peerDependenciesMeta: optional({ optional: true }),
  };
}

process.stdout.write(`${manifest.name} ${manifest.version} is in ${relative(process.cwd(), target)}/\n`);
