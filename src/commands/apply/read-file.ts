import { hash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { TextDecoder } from 'node:util';
import { Ajv, type ErrorObject } from 'ajv';
import { LineCounter, type ParsedNode, parseDocument, visit } from 'yaml';
import { newFields, readSettings } from '../../capabilities/oidc/clients/client-form.ts';
import { requireStrongSecret } from '../../capabilities/oidc/clients/client-secrets.ts';
import type { ClientChanges } from '../../capabilities/oidc/clients/clients.ts';
import { mostPictureBytes, type Picture, readPicture } from '../../capabilities/oidc/pictures/read-picture.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import { canonicalUsername } from '../../core/users/user.ts';
import { mayNotRead } from '../../ground/config/account-name.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';
import { isPlainLine, printable } from '../../ground/text/printable.ts';
import { readFields } from '../../web/action.ts';
import { explainFault } from '../describe-faults.ts';
import { type GroupEntry, type ResourceEntry, schema, type UserEntry, type Written } from './schema.ts';

/** Bytes of the longest file. To read a longer one would take minutes. */
const longestFile = 1_000_000;

/** Bytes of the longest file with a secret. */
const longestSecret = 4096;

/** Uses of anchors. A few lines can stand for gigabytes, if each of them uses the line before several times. */
const mostAliases = 100;

/** Faults that are shown at a time. */
const mostFaults = 20;

export interface WantedClient {
  readonly id: string;
  readonly isPublic: boolean | undefined;
  /** The settings that the file has. The others stay as they are. */
  readonly settings: ClientChanges;
  /** The text of the secret, from its file. */
  readonly secret: string | undefined;
}

export interface AppliedFile {
  readonly name: string;
  readonly prune: boolean;
  readonly groups: readonly GroupEntry[];
  readonly clients: readonly WantedClient[];
  readonly resources: readonly ResourceEntry[];
  readonly users: readonly UserEntry[];
  /** A hash that tells one version of the file from another one. It covers the secrets and the pictures, too. */
  readonly version: string;
}

/**
 * Reads a file that says which objects there should be. A file may come from a repository that others write to, so it is checked before
 * anything is done.
 * @param path `-` for standard input
 * @throws {Misconfiguration} with the faults, and no value of a secret
 */
export function readAppliedFile(path: string): AppliedFile {
  const failed = (...faults: string[]) =>
    new Misconfiguration(...faults.map((fault) => printable(`${path === '-' ? 'Standard input' : path}: ${fault}`)));
  try {
    const bytes = readBytes(path === '-' ? 0 : path, longestFile);
    const written = parse(bytes);
    const clients = (written.clients ?? []).map((entry, index) =>
      inEntry(`clients, entry ${index + 1} (${entry.client_id})`, () => readClient(entry, dirname(resolve(path)))),
    );
    const files = clients.flatMap(({ secret = '', settings }) => [secret, settings.picture?.hash ?? '']);
    return {
      name: written.name,
      prune: written.prune ?? false,
      groups: (written.groups ?? []).map(withTrimmedDescription),
      clients,
      resources: written.resources ?? [],
      users: written.users ?? [],
      version: hash('sha256', JSON.stringify([bytes.toString('base64'), ...files]), 'base64url'),
    };
  } catch (error) {
    if (error instanceof Faults) throw failed(...error.faults);
    throw error;
  }
}

class Faults extends Error {
  readonly faults: readonly string[];

  constructor(...faults: readonly string[]) {
    super();
    this.faults = faults;
  }
}

function inEntry<Result>(place: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof Faults) throw new Faults(...error.faults.map((fault) => `${place}: ${fault}`));
    if (error instanceof InvalidFields)
      throw new Faults(...error.faults.map((fault) => `${place}: ${explainFault(fault)}`));
    if (error instanceof ChangeRefused) throw new Faults(`${place}: ${error.message}`);
    throw error;
  }
}

function readBytes(path: string | number, most: number): Buffer {
  try {
    // A device would have no end.
    const size = typeof path === 'number' ? 0 : statSync(path).size;
    const bytes = size > most ? undefined : readFileSync(path);
    if (bytes !== undefined && bytes.length <= most) return bytes;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Faults(code === 'EACCES' ? mayNotRead(String(path)) : `the file cannot be read (${code}).`);
  }
  throw new Faults(`the file has more than ${most.toLocaleString('en')} bytes.`);
}

/** Reads YAML, of which JSON is a part. */
function parse(bytes: Buffer): Written {
  const value = readYaml(decode(bytes));
  const ajv = new Ajv({ meta: false, validateSchema: false, allErrors: true, allowUnionTypes: true });
  if (!ajv.validate<Written>(schema, value))
    throw new Faults(...[...new Set((ajv.errors ?? []).map(describeFault))].slice(0, mostFaults));
  const faults = [...findUnreadable(value), ...findDoubles(value)];
  if (faults.length > 0) throw new Faults(...faults.slice(0, mostFaults));
  return value;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Faults('the file is not UTF-8.');
  }
}

function readYaml(text: string): unknown {
  const lines = new LineCounter();
  const placeOf = (offset = 0) => {
    const { line, col } = lines.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  // The library's own check for doubled keys takes quadratic time.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const message = fault.code === 'RESOURCE_EXHAUSTION' ? 'it is nested too deeply' : fault.message.slice(0, 200);
    throw new Faults(`${placeOf(fault.pos[0])}: ${message}.`);
  }
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const { value, range } = key as ParsedNode & { readonly value?: unknown };
        if (typeof value !== 'string' || seen.has(value))
          throw new Faults(
            `${placeOf(range[0])}: ${seen.has(value) ? 'the key is there twice' : 'a key must be a text'}.`,
          );
        seen.add(value);
      }
    },
  });
  try {
    return document.toJS({ maxAliasCount: mostAliases });
  } catch {
    throw new Faults(`an alias has no anchor, or the file has more than ${mostAliases} of them.`);
  }
}

/** Describes a fault by ajv's message, which contains no value of the file. */
function describeFault({ instancePath, message, params }: ErrorObject): string {
  const [list = '', index, ...rest] = instancePath.split('/').slice(1);
  const place = [list, ...(index === undefined ? [] : [`entry ${Number(index) + 1}`]), ...rest].filter(Boolean);
  const names = [params.additionalProperty, params.allowedValues].flat().filter(Boolean);
  const allowed = names.length > 0 ? ` (${names.join(', ').slice(0, 100)})` : '';
  return `${place.join(', ') || 'the file'} ${message}${allowed}.`;
}

/** Finds texts with characters that are invisible, or that not every database stores. */
function* findUnreadable(value: unknown, place: readonly string[] = []): Generator<string> {
  if (typeof value === 'string' && !isPlainLine(value)) yield `${place.join(', ')} must be one line of plain text.`;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value))
    yield* findUnreadable(part, [...place, Array.isArray(value) ? `entry ${Number(name) + 1}` : name]);
}

function* findDoubles({ groups = [], clients = [], resources = [], users = [] }: Written): Generator<string> {
  const keys = {
    groups: groups.map(({ name }) => name),
    clients: clients.map(({ client_id: id }) => id),
    resources: resources.map(({ uri }) => uri),
    users: users.map(({ username }) => canonicalUsername(username)),
  };
  for (const [list, names] of Object.entries(keys)) {
    const seen = new Set<string>();
    for (const name of names) {
      if (seen.has(name)) yield `${list} has ${name} twice.`;
      seen.add(name);
    }
  }
}

const withTrimmedDescription = ({ description, ...group }: GroupEntry): GroupEntry => ({
  ...group,
  ...(description !== undefined && { description: description.trim() }),
});

/** Reads the settings of a client as the API does. */
function readClient(entry: NonNullable<Written['clients']>[number], folder: string): WantedClient {
  const { client_id: id, secret_file: file, picture_file: pictureFile, ...sent } = entry;
  const input = readFields(newFields, sent);
  const { name, ...settings } = readSettings(input, { format: 'json' });
  return {
    id,
    isPublic: input.public === undefined ? undefined : input.public === 'true',
    settings: {
      ...settings,
      ...(name !== undefined && { name: name.trim() }),
      ...(pictureFile !== undefined && { picture: readPictureOf(pictureFile, folder) }),
    },
    secret: file === undefined ? undefined : readSecret(resolve(folder, file)),
  };
}

const readPictureOf = (file: string, folder: string): Picture | undefined =>
  file === ''
    ? undefined
    : readPicture(readBytes(requireFile(resolve(folder, file), 'picture_file'), mostPictureBytes));

function readSecret(path: string): string {
  const text = decode(readBytes(requireFile(path, 'secret_file'), longestSecret)).replace(/\r?\n$/, '');
  requireStrongSecret(text);
  return text;
}

/** The file names the path, so it could name a device that never ends. */
function requireFile(path: string, key: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path;
  throw new Faults(`${key} must name a file that there is.`);
}
