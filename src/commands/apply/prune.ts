import type { Making } from './making.ts';
import type { AppliedFile } from './read-file.ts';

/** Removes the objects that a file of this name added, and has no longer. */
export async function prune(file: AppliedFile, making: Making): Promise<void> {
  await pruneClients(new Set(file.clients.map(({ id }) => id)), making);
  await pruneResources(new Set(file.resources.map(({ uri }) => uri)), making);
  await pruneGroups(new Set(file.groups.map(({ name }) => name)), making);
}

async function pruneClients(wanted: ReadonlySet<string>, { services, applied, appliedBy }: Making): Promise<void> {
  const { clientAdministration } = services;
  for (const { id, ...client } of await clientAdministration.listClients()) {
    if (client.appliedBy !== appliedBy || wanted.has(id)) continue;
    await clientAdministration.removeClientAlone(id);
    applied.removedClients.push(id);
    applied.changes.push({ act: 'remove', kind: 'client', name: id, fields: [] });
  }
}

async function pruneResources(wanted: ReadonlySet<string>, { services, applied, appliedBy }: Making): Promise<void> {
  const { clientAdministration } = services;
  for (const { uri, ...resource } of await clientAdministration.listResources()) {
    if (resource.appliedBy !== appliedBy || wanted.has(uri)) continue;
    await clientAdministration.removeResource(uri);
    applied.changes.push({ act: 'remove', kind: 'resource', name: uri, fields: [] });
  }
}

/** Keeps a group with members, because a file takes no person out of a group. */
async function pruneGroups(wanted: ReadonlySet<string>, { services, applied, appliedBy }: Making): Promise<void> {
  const { administration, groupsInColumn } = services;
  for (const { name, members, ...group } of await administration.listGroups()) {
    if (group.appliedBy !== appliedBy || wanted.has(name)) continue;
    const reason = findReasonToKeep({ name, members, secondFactor: group.secondFactor, groupsInColumn });
    if (reason !== undefined) {
      applied.kept.push(`group ${name}: ${reason}`);
      continue;
    }
    await administration.removeGroup(name);
    applied.changes.push({ act: 'remove', kind: 'group', name, fields: [] });
  }
}

function findReasonToKeep({
  name,
  members,
  secondFactor,
  groupsInColumn,
}: {
  readonly name: string;
  readonly members: number | undefined;
  readonly secondFactor: boolean;
  readonly groupsInColumn: boolean;
}): string | undefined {
  if (groupsInColumn) return 'its members are in a column of your table';
  if (members !== 0)
    return `users are in it (${members ?? 'very many'}). To remove it: ./bin/janua groups remove ${name}`;
  return secondFactor ? 'it demands a second factor. Lift that first: second_factor: false' : undefined;
}
