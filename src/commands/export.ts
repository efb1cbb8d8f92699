import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Client } from '../capabilities/oidc/clients/clients.ts';
import { describeClient, isUnusable } from '../capabilities/oidc/clients/describe-client.ts';
import { createIsGranted } from '../capabilities/oidc/machines/find-machine.ts';
import type { Trust } from '../capabilities/oidc/machines/trust.ts';
import { typeOfPicture } from '../capabilities/oidc/pictures/read-picture.ts';
import type { Services } from '../compose.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { printable } from '../ground/text/printable.ts';
import { administer } from './administer.ts';
import { differencesOf } from './apply/changes.ts';
import {
  clientDocument,
  groupDocument,
  isPublicClient,
  newClientDocument,
  newGroup,
  newResource,
  type ObjectDocument,
  resourceDocument,
} from './apply/documents.ts';
import { mostUsers } from './apply/schema.ts';

interface ExportOptions {
  readonly name: string;
  readonly users?: boolean;
  /** The folder for the pictures of clients. */
  readonly pictures?: string;
}

/** Prints a file for `janua apply`. An empty server to which it is applied prints the same file again. */
export const exportFile = ({ name, users: withUsers = false, pictures }: ExportOptions) =>
  administer('janua export', async (services, caller) => {
    const users = withUsers ? await usersOf(services) : [];
    if (withUsers) await services.audit.record({ kind: 'users-exported', caller });
    const lists = { ...(await objectsOf(services, pictures)), users };
    const filled = Object.entries(lists).filter(([, list]) => list.length > 0);
    return stringify({ name, ...Object.fromEntries(filled) }, { lineWidth: 0 }).trimEnd();
  });

async function objectsOf(
  { groups, clients, resources, users, claims, findPicture }: Services,
  folder: string | undefined,
) {
  // A former program could not be added elsewhere.
  const usable = (await clients.list()).filter((client) => !isUnusable(describeClient(client)));
  const granted = await withoutEnded(usable, users);
  const pictures = await writePictures(granted, folder, findPicture);
  const ofGroups = await claims.findOfAllGroups();
  return {
    groups: inOrder(
      'name',
      (await groups.findAll()).map(({ name, ...group }) => ({
        name,
        ...unlike(groupDocument(newGroup), groupDocument({ ...group, claims: ofGroups.get(name) ?? {} })),
      })),
    ),
    clients: inOrder(
      'client_id',
      granted.map((client) => {
        const isPublic = isPublicClient(client);
        const {
          granted_by: _,
          trusts_granted_by: __,
          picture_file: ___,
          ...document
        } = clientDocument(client, isPublic);
        const file = pictures.get(client.id);
        return {
          client_id: client.id,
          ...unlike(newClientDocument({ isPublic: false }), document),
          ...(file !== undefined && { picture_file: file }),
        };
      }),
    ),
    resources: inOrder(
      'uri',
      (await resources.list()).map(({ uri, ...resource }) => ({
        uri,
        ...unlike(resourceDocument(newResource), resourceDocument(resource)),
      })),
    ),
  };
}

/**
 * Leaves out the programs and trusts whose grant is void. The operator who applies the file would otherwise grant them, although the
 * administrator who did so is none any more.
 */
async function withoutEnded(
  clients: readonly Client[],
  { findById }: Pick<Services['users'], 'findById'>,
): Promise<readonly Client[]> {
  const isGranted = createIsGranted(findById);
  const granted: Client[] = [];
  const leftOut: string[] = [];
  for (const client of clients) {
    const { id, machine, trusts } = client;
    if (machine !== undefined && !(await isGranted(machine))) {
      leftOut.push(id);
      continue;
    }
    const kept: Trust[] = [];
    for (const trust of trusts)
      if (await isGranted(trust)) kept.push(trust);
      else leftOut.push(`a trust of ${id}`);
    granted.push({ ...client, trusts: kept });
  }
  if (leftOut.length > 0)
    process.stderr.write(
      `Left out, because the administrator who granted it is none any more: ${leftOut.map(printable).join(', ')}.\n`,
    );
  return granted;
}

/** Writes the pictures of clients into a folder. Returns the files by the ids of the clients. Without a folder, says what is left out. */
async function writePictures(
  clients: readonly Client[],
  folder: string | undefined,
  findPicture: Services['findPicture'],
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const pictured = clients.filter(({ picture }) => picture !== undefined);
  if (folder === undefined) {
    if (pictured.length > 0)
      process.stderr.write(`Left out: the pictures of ${pictured.length} clients. To bring them: --pictures FOLDER\n`);
    return files;
  }
  mkdirSync(folder, { recursive: true });
  for (const { id, picture = '' } of pictured) {
    const bytes = await findPicture(picture);
    if (bytes === undefined) continue;
    const file = join(folder, `${id}.${typeOfPicture(bytes) === 'image/png' ? 'png' : 'webp'}`);
    writeFileSync(file, bytes);
    files.set(id, file);
  }
  return files;
}

/** Returns the fields that differ from those of a new object. */
const unlike = (fresh: ObjectDocument, document: ObjectDocument): ObjectDocument =>
  Object.fromEntries(differencesOf(fresh, document).map(({ field, to }) => [field, to]));

/** Sorts by the units of the text, because each database has its own order. */
const inOrder = <Entry extends object>(key: keyof Entry, entries: readonly Entry[]): readonly Entry[] =>
  entries.toSorted((one, other) => (one[key] < other[key] ? -1 : 1));

/** Lists the users of Janua's own table. Those of the demo, and disabled ones, are left out: they must not be able to sign in elsewhere. */
async function usersOf({
  registry,
  administration,
  groups,
  findSubject,
  claims,
}: Services): Promise<readonly ObjectDocument[]> {
  if (registry === undefined)
    throw new ChangeRefused('USERS_TABLE is a table of your own. Export its users with the tools of its database.');
  const listed: ObjectDocument[] = [];
  let leftOut = 0;
  for await (const user of administration.list()) {
    if (user.demo || user.disabled) {
      leftOut += 1;
      continue;
    }
    if (listed.length === mostUsers)
      throw new ChangeRefused(
        `There are more than ${mostUsers} users, the most of one file. Export them with: ./bin/janua users export`,
      );
    const names = (await groups.namesOf(user)).toSorted();
    const sub = await findSubject(user);
    const own = await claims.findOwn(user);
    listed.push({
      username: user.username,
      first_name: user.firstName,
      last_name: user.lastName,
      ...(user.handle !== undefined && { handle: user.handle }),
      ...(names.length > 0 && { groups: names }),
      ...(Object.keys(own).length > 0 && { claims: own }),
      ...(sub !== undefined && { sub }),
    });
  }
  if (leftOut > 0) process.stderr.write(`Left out, because they are disabled or of the demo: ${leftOut} users.\n`);
  return inOrder('username', listed);
}
