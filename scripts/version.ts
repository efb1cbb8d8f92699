import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * Commits and tags a version of a checkout without changes, as a part of `npm run release`. The part *Unreleased* of the changelog becomes
 * that of the version, and the notes of the tag.
 */
const [version = ''] = process.argv.slice(2);
const cwd = fileURLToPath(new URL('..', import.meta.url));
const git = (args: readonly string[], input = '') => execFileSync('git', args, { cwd, encoding: 'utf8', input });

function refuse(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

const edit = (name: string, change: (text: string) => string) => {
  const path = new URL(`../${name}`, import.meta.url);
  writeFileSync(path, change(readFileSync(path, 'utf8')));
};

if (!/^\d+\.\d+\.\d+$/.test(version)) refuse('Name the version, such as 1.2.3.');
if (git(['status', '--porcelain']) !== '') refuse('There are changes that are not committed.');
if (git(['tag', '--list', `v${version}`]) !== '') refuse(`There is a tag v${version} already.`);

const { version: former } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const changelog = readFileSync(new URL('../CHANGELOG.md', import.meta.url), 'utf8');
const unreleased = changelog.split(/^## /m).find((part) => part.startsWith('Unreleased\n')) ?? '';
const notes = unreleased.slice('Unreleased'.length).trim();
if (notes === '') refuse('CHANGELOG.md says nothing of this version.');

execFileSync('npm', ['version', version, '--no-git-tag-version'], { cwd, stdio: 'ignore' });
const today = new Date().toISOString().slice(0, 10);
edit('CHANGELOG.md', (text) => text.replace('## Unreleased\n', `## Unreleased\n\n## ${version} - ${today}\n`));
for (const name of [
  'README.md',
  'docs/deployment.md',
  'docs/library.md',
  'deploy/compose.yaml',
  'deploy/kubernetes.yaml',
])
  edit(name, (text) =>
    text.replaceAll(`janua-${former}`, `janua-${version}`).replaceAll(`janua:${former}`, `janua:${version}`),
  );
git(['commit', '--quiet', '--all', '--message', `Release ${version}`]);
// The headings of the notes begin like comments of Git.
git(['tag', '--annotate', '--cleanup=verbatim', '--file=-', `v${version}`], `Janua ${version}\n\n${notes}\n`);
process.stdout.write(`v${version} is tagged, and not pushed.\n`);
