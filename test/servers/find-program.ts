import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders of servers in distributions. They are not on the path of every account. */
const serverFolders = ['/usr/local/sbin', '/usr/sbin'];

/** The first program of that name in `folders`, on the path, or in the folders of servers. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const { PATH = '' } = process.env;
  return [...folders, ...PATH.split(delimiter), ...serverFolders].map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
