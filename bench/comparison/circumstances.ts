import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem, type as typeOfSystem } from 'node:os';
import { promisify } from 'node:util';
import { findPostgres } from '../../test/servers/postgres.ts';
import { findRedis } from '../../test/servers/redis.ts';
import { readPeerVersions } from './peers.ts';

/** Describes the machine in one line. */
export function describeMachine(): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    cpus()[0]?.model.trim(),
    `${availableParallelism()} cores`,
    `${gigabytes} GB`,
    `${typeOfSystem()} ${release()}`,
    `Node ${process.versions.node}`,
  ].join(', ');
}

/** Gives the versions of Janua, its peers and the store servers in one line. */
export async function describeVersions(): Promise<string> {
  const { version, dependencies } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  const servers = await Promise.all([
    versionOf('Redis', findRedis(), /v=([\d.]+)/),
    versionOf('PostgreSQL', findPostgres(), /([\d.]+)/),
  ]);
  const packages = { janua: version, fastify: dependencies.fastify, ...readPeerVersions() };
  return [...Object.entries(packages).map(([name, number]) => `${name} ${number}`), ...servers.flat()].join(', ');
}

async function versionOf(name: string, program: string | undefined, pattern: RegExp): Promise<string[]> {
  if (program === undefined) return [];
  const { stdout } = await promisify(execFile)(program, ['--version']);
  return [`${name} ${pattern.exec(stdout)?.[1]}`];
}
