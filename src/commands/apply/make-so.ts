import { readMay } from '../../capabilities/oidc/clients/client-form.ts';
import { hasKeys } from '../../capabilities/oidc/clients/client-keys.ts';
import { findSent, givenSecret } from '../../capabilities/oidc/clients/client-secrets.ts';
import { defaultSettings, withChanges } from '../../capabilities/oidc/clients/clients.ts';
import type { Services } from '../../compose.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import { findAppliedVersions, noteAppliedVersion } from '../../core/changes/applied-files.ts';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import { requireClaims } from '../../core/users/claim-rules.ts';
import { explainFault } from '../describe-faults.ts';
import { differencesOf } from './changes.ts';
import {
  clientDocument,
  groupDocument,
  isPublicClient,
  newClientDocument,
  newGroup,
  newResource,
  resourceDocument,
} from './documents.ts';
import { makeUserSo } from './make-user-so.ts';
import { type Applied, type ApplyOptions, type Making, note } from './making.ts';
import { prune } from './prune.ts';
import type { AppliedFile, WantedClient } from './read-file.ts';
import type { GroupEntry, ResourceEntry } from './schema.ts';

/** The name of the secret that comes from a file. */
const secretOfFile = 'file';

/**
 * Brings the objects in line with a file.
 * @param services those of `inOneTransaction`. The lock of that transaction makes another `janua apply` wait
 * @returns undefined for an earlier version of the file, if `skipsFormer` is set
 * @throws {ChangeRefused} with the entry that cannot be made so
 */
export async function makeSo(
  services: Services,
  file: AppliedFile,
  options: ApplyOptions,
): Promise<Applied | undefined> {
  const { database } = services;
  const versions = await findAppliedVersions(database, file.name);
  if (options.skipsFormer && versions.includes(file.version) && versions[0] !== file.version) return undefined;
  const applied: Applied = {
    ...{ changes: [], kept: [], leftOut: [], secrets: [], withoutSecret: [], links: [], removedClients: [] },
  };
  const making = { services, applied, appliedBy: file.name, options };
  for (const entry of file.groups) await inPlace(`group ${entry.name}`, () => makeGroupSo(entry, making));
  for (const entry of file.resources) await inPlace(`resource ${entry.uri}`, () => makeResourceSo(entry, making));
  // A resource may name others that come after it in the file.
  for (const entry of file.resources) await inPlace(`resource ${entry.uri}`, () => makeExchangesSo(entry, making));
  for (const client of file.clients) await inPlace(`client ${client.id}`, () => makeClientSo(client, making));
  for (const entry of file.users) await inPlace(`user ${entry.username}`, () => makeUserSo(entry, making));
  if (options.prunes) await prune(file, making);
  await noteAppliedVersion(database, file.name, file.version, versions);
  return applied;
}

/** Says which entry of the file cannot be made so. */
async function inPlace(place: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof InvalidFields)
      throw new ChangeRefused(error.faults.map((fault) => `${place}: ${explainFault(fault)}`).join('\n'));
    if (error instanceof ChangeRefused) throw new ChangeRefused(`${place}: ${error.message}`, error.code);
    throw error;
  }
}

async function makeGroupSo(
  { name, description, scopes, second_factor: secondFactor, claims }: GroupEntry,
  { services: { groups, administration, claims: stored }, applied, appliedBy }: Making,
): Promise<void> {
  const found = (await groups.findAll()).find((group) => group.name === name);
  const present = { ...(found ?? newGroup), claims: (await stored.findOfAllGroups()).get(name) ?? {} };
  const wanted = {
    claims: claims === undefined ? present.claims : requireClaims(claims),
    description: description ?? present.description,
    scopes: scopes === undefined ? present.scopes : [...new Set(scopes)].sort(),
    secondFactor: secondFactor ?? present.secondFactor,
  };
  const fields = differencesOf(groupDocument(present), groupDocument(wanted));
  if (found === undefined)
    await administration.addGroup({ name, description: wanted.description, scopes: wanted.scopes, appliedBy });
  else {
    await administration.setDescription(name, wanted.description);
    await administration.setScopes(name, wanted.scopes);
  }
  if (wanted.secondFactor !== present.secondFactor) await administration.setSecondFactor(name, wanted.secondFactor);
  await administration.setGroupClaims(name, () => wanted.claims);
  note(applied, 'group', name, fields, found === undefined);
}

async function makeResourceSo(
  { uri, scopes, token_format: tokenFormat, alg }: ResourceEntry,
  { services: { resources, clientAdministration }, applied, appliedBy }: Making,
): Promise<void> {
  const found = (await resources.list()).find((resource) => resource.uri === uri);
  const present = found ?? newResource;
  const wanted = {
    scopes: [...new Set(scopes)],
    tokenFormat: tokenFormat ?? present.tokenFormat,
    alg: alg ?? present.alg,
    exchanges: found?.exchanges ?? {},
  };
  const fields = differencesOf(resourceDocument(present), resourceDocument(wanted));
  if (found === undefined) await clientAdministration.addResource({ uri, ...wanted, appliedBy });
  else if (fields.length > 0) await clientAdministration.changeResource(uri, wanted);
  note(applied, 'resource', uri, fields, found === undefined);
}

async function makeExchangesSo(
  { uri, exchange_for: lines }: ResourceEntry,
  { services: { resources, clientAdministration }, applied }: Making,
): Promise<void> {
  const found = await resources.find(uri);
  if (found === undefined || lines === undefined) return;
  const wanted = { ...found, exchanges: readMay(lines.join(' '), 'exchange_for') };
  const fields = differencesOf(resourceDocument(found), resourceDocument(wanted));
  if (fields.length > 0) await clientAdministration.changeResource(uri, { exchanges: wanted.exchanges });
  note(applied, 'resource', uri, fields, false);
}

async function makeClientSo(wanted: WantedClient, making: Making): Promise<void> {
  const { id, settings, secret } = wanted;
  const { services, applied } = making;
  const { clients, clientAdministration } = services;
  const found = await clients.find(id);
  if (found === undefined) return addClient(wanted, making);
  const isPublic = isPublicClient(found);
  if ((wanted.isPublic ?? isPublic) !== isPublic)
    throw new ChangeRefused('A client stays public, or confidential. Add another one, with another client_id.');
  const whole = withChanges(found, settings);
  const fields = [...differencesOf(clientDocument(found, isPublic), clientDocument(whole, isPublic))];
  // Names each part of a grant. What an administrator has granted beside the file would otherwise be granted by the file.
  const wholly = settings.machine && { machine: whole.machine };
  if (fields.length > 0) await clientAdministration.changeClient(id, { ...settings, ...wholly });
  if (secret !== undefined && findSent(found.secrets ?? [], secret) === undefined) {
    await clientAdministration.giveSecret(id, givenSecret(secret, secretOfFile, Date.now()));
    fields.push({ field: 'secret_file', from: 'another secret', to: 'this secret' });
  }
  note(applied, 'client', id, fields, false);
}

async function addClient(
  { id, isPublic = false, settings, secret: given }: WantedClient,
  { services: { clientAdministration }, applied, appliedBy, options }: Making,
): Promise<void> {
  if (isPublic && given !== undefined) throw new ChangeRefused('A public client has no secret.');
  const client = { ...withChanges(defaultSettings, settings), isPublic };
  const none = options.showsSecrets ? undefined : [];
  const secrets = given === undefined ? none : [givenSecret(given, secretOfFile, Date.now())];
  const added = await clientAdministration.addClient({ ...client, id, secrets, appliedBy });
  if (settings.picture !== undefined) await clientAdministration.changeClient(id, { picture: settings.picture });
  if (!isPublic && client.trusts.length === 0 && !hasKeys(client) && secrets?.length === 0)
    applied.withoutSecret.push(id);
  if (added.secret !== undefined) applied.secrets.push({ clientId: id, secret: added.secret });
  const fields = differencesOf(newClientDocument({ isPublic: false }), clientDocument(client, isPublic));
  note(applied, 'client', id, fields, true);
}
