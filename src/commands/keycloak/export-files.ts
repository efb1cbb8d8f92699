import { createReadStream, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { mayNotRead } from '../../ground/config/account-name.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';
import { type JsonPart, MalformedJson, readJsonParts } from '../../ground/text/json-parts.ts';

/** Lines of one file at most, so that a number names the file and the line. */
const linesOfFile = 2 ** 32;

/** A part of an export, whose line counts through all its files. */
export type ExportPart = JsonPart;

export type ExportFiles = ReturnType<typeof openExport>;

const realmFile = /^(.+)-realm\.json$/;
const usersFile = /^(.+)-users-(\d+)\.json$/;

/**
 * Opens an export of Keycloak: one file with everything, or `NAME-realm.json` with the files `NAME-users-0.json` and so on beside it.
 * @param path a file, or the folder of an export
 * @throws {Misconfiguration}
 */
export function openExport(path: string) {
  const paths = findFiles(path);
  const sizes = paths.map((file) => statSync(file).size);
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  let bytesRead = 0;

  function placeOf(line: number): string | number {
    const file = paths[Math.floor(line / linesOfFile)] ?? '';
    return paths.length === 1 ? line : `${line % linesOfFile} of ${basename(file)}`;
  }

  async function* readFile(index: number, wanted: ReadonlyMap<string, number>): AsyncGenerator<ExportPart> {
    const first = index * linesOfFile;
    const stream = createReadStream(paths[index] ?? '');
    stream.on('data', (chunk) => {
      bytesRead += chunk.length;
    });
    try {
      for await (const part of readJsonParts(stream, wanted)) yield { ...part, line: first + part.line };
    } catch (error) {
      if (!(error instanceof MalformedJson)) throw error;
      throw new Misconfiguration(
        `Line ${placeOf(first + error.line)}: this is no export of a realm: ${error.message}.`,
      );
    }
  }

  return {
    placeOf,
    /** @throws {Misconfiguration} if a file is cut off, or no JSON object */
    async *read(wanted: ReadonlyMap<string, number>): AsyncGenerator<ExportPart> {
      bytesRead = 0;
      for (const index of paths.keys()) yield* readFile(index, wanted);
    },
    /** The share of the present reading that is done. */
    progress: () => bytesRead / whole,
  };
}

function findFiles(path: string): readonly string[] {
  try {
    const isFolder = statSync(path).isDirectory();
    const folder = isFolder ? path : dirname(path);
    const realms = isFolder ? readdirSync(folder).filter((name) => realmFile.test(name)) : [basename(path)];
    const [realm] = realms;
    if (realm === undefined) throw new Misconfiguration(`${resolve(path)} has no file NAME-realm.json.`);
    if (realms.length > 1)
      throw new Misconfiguration(
        `${resolve(path)} has several realms. Name the file of one, such as ${join(path, realm)}.`,
      );
    const files = [realm, ...usersFilesOf(folder, realmFile.exec(realm)?.[1])].map((name) => join(folder, name));
    const other = files.find((file) => !statSync(file).isFile());
    if (other !== undefined) throw new Misconfiguration(`${resolve(other)} is no file.`);
    return files;
  } catch (error) {
    if (error instanceof Misconfiguration) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new Misconfiguration(code === 'EACCES' ? mayNotRead(path) : `${resolve(path)} cannot be read (${code}).`);
  }
}

function usersFilesOf(folder: string, realm: string | undefined): readonly string[] {
  if (realm === undefined) return [];
  const numberOf = (name: string) => Number(usersFile.exec(name)?.[2]);
  return readdirSync(folder)
    .filter((name) => [realm, `${realm}-federated`].includes(usersFile.exec(name)?.[1] ?? ''))
    .sort((one, other) => numberOf(one) - numberOf(other));
}
