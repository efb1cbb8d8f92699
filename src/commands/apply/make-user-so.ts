import type { Account } from '../../core/users/account.ts';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import { requireClaims } from '../../core/users/claim-rules.ts';
import { findHandleOwner } from '../../core/users/handles.ts';
import { requireName } from '../../core/users/require-details.ts';
import { admins } from '../../core/users/scopes.ts';
import { canonicalUsername } from '../../core/users/user.ts';
import { differencesOf } from './changes.ts';
import { type Making, note } from './making.ts';
import type { UserEntry } from './schema.ts';

/**
 * Adds a user, or changes the names and adds the groups of one. A user is never removed, and stays in every group. An entry is left out if
 * another account has its handle or `sub`: it may be the same person with another address, who would otherwise get a second account.
 */
export async function makeUserSo(entry: UserEntry, making: Making): Promise<void> {
  const { services, applied, options } = making;
  const username = canonicalUsername(entry.username);
  const found = await services.users.adoptByUsername(username);
  const obstacle = await findObstacle(entry, found?.user.id, making);
  if (obstacle !== undefined) {
    if (!options.leavesOut) throw new ChangeRefused(obstacle);
    applied.leftOut.push(`user ${username}: ${obstacle}`);
    return;
  }
  if (found === undefined || found.isReplaceable) return addUser(entry, username, making);
  const { user } = found;
  const { handle = '' } = user;
  const present = { first_name: user.firstName, last_name: user.lastName, handle, groups: user.groups.toSorted() };
  const [firstName, lastName] = namesOf({ first_name: user.firstName, last_name: user.lastName, ...entry });
  const groups = [...new Set([...user.groups, ...(entry.groups ?? [])])].sort();
  const wanted = { first_name: firstName, last_name: lastName, handle: entry.handle ?? handle, groups };
  const fields = differencesOf(present, wanted);
  const { administration } = services;
  if (firstName !== user.firstName || lastName !== user.lastName)
    await administration.rename({ userId: user.id }, { firstName, lastName });
  if (wanted.handle !== handle) await administration.setHandle({ userId: user.id }, wanted.handle);
  const added = groups.filter((group) => !user.groups.includes(group));
  if (added.length > 0) await administration.changeGroups({ userId: user.id }, { add: added });
  const claims = await giveClaims(found, entry.claims, making);
  const subject = await giveSubject(found, entry.sub, making);
  if (added.includes(admins)) await offerLink(found, making);
  note(applied, 'user', username, [...fields, ...claims, ...subject], false);
}

/** Tells why the user cannot have the handle or `sub` of the entry, if another account has it, or had it. */
async function findObstacle(
  { handle = '', sub = '' }: UserEntry,
  userId: string | undefined,
  { services }: Making,
): Promise<string | undefined> {
  const findOwner = async (name: string) =>
    (await services.findUserIdOfSubject(name)) ?? (await findHandleOwner(canonicalUsername(name), services.database));
  const owners = [
    { name: `handle ${handle}`, id: handle === '' ? undefined : await findOwner(handle) },
    { name: `sub ${sub}`, id: sub === '' ? undefined : await findOwner(sub) },
  ];
  const taken = owners.find(({ id }) => id !== undefined && id !== userId);
  if (taken?.id === undefined) return undefined;
  const account = await services.users.findById(taken.id);
  return account === undefined
    ? `The account that had the ${taken.name} is gone, and no other account can have it. Choose another one, or remove the user from the file.`
    : `The ${taken.name} is that of ${account.user.username}. If this is the same person, change the address in the file.`;
}

const namesOf = ({ first_name: first = '', last_name: last = '' }: Partial<UserEntry>) =>
  [requireName(first), requireName(last)] as const;

async function addUser(entry: UserEntry, username: string, making: Making): Promise<void> {
  const { services, applied } = making;
  const [firstName, lastName] = namesOf(entry);
  const groups = [...new Set(entry.groups)].sort();
  const { handle = '' } = entry;
  const { id, link } = await services.administration.invite({ username, firstName, lastName, groups, handle }, false);
  const added = (await services.users.findById(id)) ?? failed();
  const claims = await giveClaims(added, entry.claims, making);
  const subject = await giveSubject(added, entry.sub, making);
  if (groups.includes(admins) && link !== undefined) applied.links.push({ username, link });
  const nothing = { handle: '', groups: [] };
  const fields = differencesOf(nothing, { first_name: firstName, last_name: lastName, handle, groups });
  note(applied, 'user', username, [...fields, ...claims, ...subject], true);
}

function failed(): never {
  throw new ChangeRefused('The user is gone.');
}

async function giveClaims({ user }: Account, claims: UserEntry['claims'], { services }: Making) {
  if (claims === undefined) return [];
  const present = await services.claims.findOwn(user);
  const wanted = requireClaims(claims);
  await services.administration.setClaims({ userId: user.id }, () => wanted);
  return differencesOf({ claims: present }, { claims: wanted });
}

/** Gives the user the id of the file, unless applications know the user by it already. */
async function giveSubject({ user }: Account, sub: string | undefined, { services }: Making) {
  const present = await services.findSubject(user);
  if (sub === undefined || sub === present) return [];
  await services.giveSubject(user, sub);
  return [{ field: 'sub', from: present, to: sub }];
}

/** Makes a link for a new administrator who cannot sign in in any other way. */
async function offerLink({ user }: Account, { services, applied }: Making): Promise<void> {
  const { users, ports, database } = services;
  const account = (await users.findById(user.id)) ?? failed();
  if (account.passwordHash || account.disabled || (await ports.hasOtherSignIn(user, database))) return;
  const link = await ports.createInvitationLink?.(account);
  if (link !== undefined) applied.links.push({ username: user.username, link });
}
