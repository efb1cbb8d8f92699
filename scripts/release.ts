import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { dispensable, longTestPrograms, testPrograms } from './debian-packages.ts';

/**
 * `npm run release -- 1.2.3 --key FILE` checks the checkout, commits and tags the version, and builds and signs the files of the release in
 * `release/1.2.3/`. It publishes nothing. `docs/releasing.md` says what a person does before and after.
 */
const { values: options, positionals } = parseArgs({
  options: { key: { type: 'string', default: '' } },
  allowPositionals: true,
});
const [version = ''] = positionals;
const cwd = fileURLToPath(new URL('..', import.meta.url));

function refuse(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

function mustRun(command: string, ...args: readonly string[]): void {
  process.stdout.write(`> ${command} ${args.join(' ')}\n`);
  if (spawnSync(command, args, { cwd, stdio: 'inherit' }).status !== 0) refuse('That failed, so there is no release.');
}

/** Each Debian that the documentation names has the packages that it installs. */
async function requirePackages(suite: string): Promise<void> {
  const answer = await fetch(`http://deb.debian.org/debian/dists/${suite}/main/binary-amd64/Packages.gz`);
  if (!answer.ok) refuse(`The list of packages of ${suite} answers ${answer.status}.`);
  const list = gunzipSync(await answer.arrayBuffer()).toString();
  const known = new Set([...list.matchAll(/^Package: (.*)$/gm)].map(([, name]) => name));
  const needed = Object.keys({ ...testPrograms, ...longTestPrograms }).filter((name) => !dispensable.includes(name));
  const lacking = needed.filter((name) => !known.has(name));
  if (lacking.length > 0) refuse(`Debian's ${suite} lacks ${lacking.join(', ')}.`);
}

if (!existsSync(options.key)) refuse('Name the secret key of minisign: npm run release -- 1.2.3 --key FILE');
for (const suite of ['bookworm', 'trixie']) await requirePackages(suite);
mustRun('npm', 'ci');
mustRun('npm', 'run', 'test:long');
mustRun(process.execPath, 'scripts/breaks.ts', '--all');
mustRun(process.execPath, 'scripts/version.ts', version);
mustRun(process.execPath, 'scripts/release-files.ts', `release/${version}`, '--key', options.key);
