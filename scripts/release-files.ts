import { execFileSync } from 'node:child_process';
import { mkdir, mkdtempDisposable, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import { digestOf, writeProvenance } from './provenance.ts';

/**
 * Builds what a release consists of into a folder: the image of each processor, the package, the parts and the provenance of each, their
 * checksums, and a signature of the checksums by the key of the operator. Then checks the folder as its users do.
 */
const { values: options, positionals } = parseArgs({
  options: {
    /** The secret key of minisign. */
    key: { type: 'string' },
    processor: { type: 'string', multiple: true, default: ['x64', 'arm64'] },
  },
  allowPositionals: true,
});
const { key } = options;
const [folder] = positionals;
if (key === undefined || folder === undefined) throw new Error('Name the folder, and the key: --key FILE');

const cwd = fileURLToPath(new URL('..', import.meta.url));
const target = resolve(folder);
const run = (command: string, args: readonly string[], at = cwd) =>
  // A key with a password asks for it at the terminal.
  execFileSync(command, args, { cwd: at, encoding: 'utf8', stdio: ['inherit', 'pipe', 'inherit'] });

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
const processors = options.processor.flatMap((name) => ['--processor', name]);
run(process.execPath, ['scripts/image.ts', ...processors, target]);
await buildPackage();
await sign(key);
check();
process.stdout.write(`${target} is signed, and its checksums are right.\n`);

async function buildPackage(): Promise<void> {
  await using built = await mkdtempDisposable(join(tmpdir(), 'janua-package-'));
  run(process.execPath, ['scripts/build.ts', built.path]);
  run('npm', ['pack', '--silent', '--pack-destination', target, built.path]);
  const name = `${manifest.name}-${manifest.version}.tgz`;
  const sbom = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=library', '--package-lock-only', '--omit=dev'];
  await writeFile(join(target, `${name}.cdx.json`), run('npm', sbom));
  await writeProvenance(join(target, name), { script: 'build' });
}

async function sign(secret: string): Promise<void> {
  const names = (await readdir(target)).toSorted();
  const sums: string[] = [];
  for (const name of names) sums.push(`${await digestOf(join(target, name))}  ${name}\n`);
  await writeFile(join(target, 'SHA256SUMS'), sums.join(''));
  const comment = `${manifest.name} ${manifest.version}`;
  run('minisign', ['-S', '-s', resolve(secret), '-m', 'SHA256SUMS', '-t', comment], target);
  run('minisign', ['-R', '-s', resolve(secret), '-p', 'minisign.pub', '-f'], target);
}

/** The commands of `docs/releasing.md`. */
function check(): void {
  run('minisign', ['-V', '-p', 'minisign.pub', '-m', 'SHA256SUMS'], target);
  run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], target);
}
