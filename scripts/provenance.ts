import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const git = (...args: readonly string[]) => execFileSync('git', args, { cwd, encoding: 'utf8' }).trim();

/** The commit of the checkout. */
export const commit = git('rev-parse', 'HEAD');

/** @returns the SHA-256 of a file in hexadecimal */
export async function digestOf(path: string): Promise<string> {
  const digest = createHash('sha256');
  const reading = createReadStream(path).on('data', (chunk) => void digest.update(chunk));
  await once(reading, 'end');
  return digest.digest('hex');
}

/**
 * Writes beside a file how it was made: `NAME.intoto.json`.
 * @param parameters the script of `package.json`, and what it was told
 * @see https://slsa.dev/spec/v1.0/provenance
 */
export async function writeProvenance(path: string, parameters: Readonly<Record<string, string>>): Promise<void> {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: basename(path), digest: { sha256: await digestOf(path) } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'https://github.com/npm/cli@npm-run-script',
        externalParameters: parameters,
        internalParameters: { node: process.version, changedTree: git('status', '--porcelain') !== '' },
        resolvedDependencies: [{ uri: 'git+file:.', digest: { gitCommit: commit } }],
      },
      runDetails: { builder: { id: 'a machine of those who release' } },
    },
  };
  await writeFile(`${path}.intoto.json`, `${JSON.stringify(statement, undefined, 2)}\n`);
}
