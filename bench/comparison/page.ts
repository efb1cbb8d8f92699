import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem, type as typeOfSystem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPostgres } from '../../test/servers/postgres.ts';
import { findRedis } from '../../test/servers/redis.ts';
import { formatMarkdown, type Table } from '../table.ts';

const root = new URL('../../', import.meta.url);

/** Describes the machine in one line. */
export const describeMachine = () =>
  [
    cpus()[0]?.model.trim(),
    `${availableParallelism()} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `${typeOfSystem()} ${release()}`,
    `Node ${process.versions.node}`,
  ].join(', ');

/** Gives the versions of Janua, its peers and the store servers in one line. */
export async function describeVersions(): Promise<string> {
  const { version, dependencies } = await readManifest('');
  const peers = await readManifest('bench/peers/');
  const packages = { janua: version, fastify: dependencies.fastify, ...peers.dependencies };
  const programs = { Redis: findRedis(), PostgreSQL: findPostgres() };
  const servers = Object.entries(programs).map(async ([name, program]) => {
    if (program === undefined) return [];
    const { stdout } = await promisify(execFile)(program, ['--version']);
    return [`${name} ${/\d+\.[\d.]+/.exec(stdout)?.[0]}`];
  });
  const named = Object.entries(packages).map(([name, number]) => `${name} ${number}`);
  return [...named, ...(await Promise.all(servers)).flat()].join(', ');
}

/** Installs the peers' packages if they are missing. @returns whether they are installed */
export async function installPeers(): Promise<boolean> {
  const cwd = fileURLToPath(new URL('bench/peers', root));
  const child = spawn('npm', ['install', '--prefer-offline'], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit').catch((error: unknown) => [error]);
  return code === 0;
}

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(new URL(`${folder}package.json`, root), 'utf8'));

/**
 * Writes the measured figures into docs/performance.md.
 * @param circumstances lines with the date, the machine and the versions
 */
export async function writePage(tables: readonly Table[], circumstances: readonly string[]): Promise<void> {
  const page = new URL('docs/performance.md', root);
  const described = tables.map(({ title, lines }) => `**${title}**\n\n${formatMarkdown(lines)}`);
  const text = [...circumstances, ...described].join('\n\n');
  await writeFile(page, replaceSection(await readFile(page, 'utf8'), text));
}

const [begin, end] = ['<!-- begin: the bench writes this section -->', '<!-- end: the bench writes this section -->'];

/** @throws if the page lacks the section's markers */
export function replaceSection(page: string, text: string): string {
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the page lacks ${begin} or ${end}`);
  return `${before}${begin}\n${text}\n${end}${after}`;
}
