import { existsSync } from 'node:fs';

/** Debian's Python, which finds Debian's packages. Another one on the path does not. */
export const systemPython = '/usr/bin/python3';

/** The folder of Debian's python3-authlib on this machine. Its client for requests needs python3-requests too. */
export function findAuthlib(): string | undefined {
  const folder = '/usr/lib/python3/dist-packages';
  return ['authlib', 'requests'].every((name) => existsSync(`${folder}/${name}`)) ? folder : undefined;
}
