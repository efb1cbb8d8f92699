import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSync } from 'oxc-parser';
import { type Break, root } from './break-list.ts';
import { limitFiles } from './file-limit.ts';

/** The files that a run needs besides the packages. */
const parts = [
  'src',
  'selftest',
  'test',
  'scripts',
  'examples',
  'bench',
  'security',
  'docs',
  'bin',
  'deploy',
  'package.json',
  'package-lock.json',
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'LICENSE',
  'tsconfig.json',
  'tsconfig.build.json',
];

async function copyTree(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'janua-breaks-'));
  for (const part of parts) await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs the tests of a made, and gives the titles of those that failed and the number of those that passed. */
async function runTest(folder: string, { test, only }: Pick<Break, 'test' | 'only'>) {
  const output = join(folder, 'failed.json');
  await rm(output, { force: true });
  const args = [
    '--test',
    '--test-timeout=60000',
    ...(only === '' ? [] : [`--test-name-pattern=${only}`]),
    '--test-reporter=./scripts/failed-reporter.ts',
    `--test-reporter-destination=${output}`,
    test,
  ];
  const runner = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  limitFiles(runner);
  await once(runner, 'exit');
  return JSON.parse(await readFile(output, 'utf8')) as { failed: string[]; passed: number };
}

export interface Broken {
  readonly made: Break;
  /** Of the test that failed. */
  readonly title: string | undefined;
  /** Why the result says nothing. */
  readonly fault?: string;
}

/** Why a made cannot be judged, before its test runs. */
function findFault({ file, text, by }: Break, source: string): string | undefined {
  if (source.split(text).length !== 2) return 'the text is not in the file exactly once';
  const errors = file.endsWith('.ts')
    ? parseSync(
        file,
        source.replace(text, () => by),
      ).errors
    : [];
  return errors.length > 0 ? 'the broken code is no TypeScript' : undefined;
}

/** Breaks the code at each place, after its test has passed without the break. Two copies work side by side. */
export async function* breakCode(breaks: readonly Break[]): AsyncGenerator<Broken> {
  /** By test and pattern. */
  const unbroken = new Map<string, Promise<{ failed: string[]; passed: number }>>();

  async function judge(folder: string, made: Break): Promise<Broken> {
    const path = join(folder, made.file);
    const source = await readFile(path, 'utf8');
    const fault = findFault(made, source);
    if (fault !== undefined) return { made, title: undefined, fault };
    const key = `${made.test}\n${made.only}`;
    const before = unbroken.get(key) ?? runTest(folder, made);
    unbroken.set(key, before);
    const { failed, passed } = await before;
    if (failed.length > 0) return { made, title: undefined, fault: `without the break, “${failed[0]}” fails` };
    if (passed === 0) return { made, title: undefined, fault: 'no test matches' };
    await writeFile(
      path,
      source.replace(made.text, () => made.by),
    );
    const broken = await runTest(folder, made).finally(() => writeFile(path, source));
    // A file that cannot be loaded has failed by its own name.
    const title = broken.failed.find((one) => !one.endsWith('.test.ts'));
    return { made, title };
  }

  const folders = await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, copyTree));
  const waiting = [...breaks];
  const underWay = new Map<string, Promise<{ folder: string; broken: Broken }>>();
  try {
    const startIn = (folder: string) => {
      const next = waiting.shift();
      if (next === undefined) underWay.delete(folder);
      else
        underWay.set(
          folder,
          judge(folder, next).then((broken) => ({ folder, broken })),
        );
    };
    folders.forEach(startIn);
    while (underWay.size > 0) {
      const { folder, broken } = await Promise.race(underWay.values());
      startIn(folder);
      yield broken;
    }
  } finally {
    await Promise.allSettled(underWay.values());
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }
}
