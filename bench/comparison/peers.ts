import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../peers/', import.meta.url);

/** Longest duration of the installation, in milliseconds. */
const deadline = 180_000;

/** Reads the versions that `bench/peers/package.json` pins, by package name. */
export function readPeerVersions(): Readonly<Record<string, string>> {
  return readManifest('package.json')?.dependencies ?? {};
}

/** Installs the peers' packages if they are missing. @returns whether they are installed */
export async function installPeers(): Promise<boolean> {
  if (areInstalled()) return true;
  console.log('Installing the peers: npm ci in bench/peers');
  const child = spawn('npm', ['ci'], {
    cwd: fileURLToPath(folder),
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: deadline,
  });
  await once(child, 'exit').catch((error: unknown) => console.log(String(error)));
  return areInstalled();
}

function areInstalled(): boolean {
  return Object.entries(readPeerVersions()).every(
    ([name, version]) => readManifest(`node_modules/${name}/package.json`)?.version === version,
  );
}

interface Manifest {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(new URL(path, folder), 'utf8'));
  } catch {
    return undefined;
  }
}
