import { ChangeRefused } from '../core/users/change-refused.ts';
import { linesOfClaims, parseClaim } from '../core/users/claim-rules.ts';
import type { ChangeClaims } from '../core/users/claims.ts';
import { rightsOf } from '../core/users/scopes.ts';
import { canonicalUsername } from '../core/users/user.ts';
import { mostCounted } from '../core/users/user-directory.ts';
import { administer } from './administer.ts';
import { list } from './list.ts';

export const listGroups = ({ json }: { readonly json?: boolean }) =>
  administer('janua groups list', async ({ administration }) => {
    // The scopes of `admins` are not stored, so `rightsOf` adds them.
    const groups = (await administration.listGroups()).map(({ name, scopes, ...group }) => {
      return { name, ...group, scopes: rightsOf([name], scopes).scopes };
    });
    return list(groups, {
      json,
      none: 'There are no groups.',
      heading: ['GROUP', 'USERS', 'SECOND FACTOR', 'SCOPES', 'DESCRIPTION'],
      toRows: (groups) =>
        groups.map(({ name, members, secondFactor, scopes, description }) => [
          name,
          String(members ?? `> ${mostCounted}`),
          secondFactor ? 'needed' : 'optional',
          scopes.join(' '),
          description,
        ]),
    });
  });

export const addGroup = (name: string, scopes: string[], { description }: { readonly description: string }) =>
  administer('janua groups add', async ({ administration }) => {
    await administration.addGroup({ name, description, scopes });
    return `Added ${name}.`;
  });

export const setScopes = (name: string, scopes: string[]) =>
  administer('janua groups scopes', async ({ administration }) => {
    await administration.setScopes(name, scopes);
    return `${name} grants: ${rightsOf([name], scopes).scopes.join(' ') || 'nothing'}.`;
  });

export const setSecondFactor = (name: string, { off }: { readonly off?: true }) =>
  administer('janua groups second-factor', async ({ administration }) => {
    await administration.setSecondFactor(name, !off);
    return off ? `Users of ${name} need no second factor.` : `Users of ${name} need a second factor to sign in.`;
  });

export const removeGroup = (name: string) =>
  administer('janua groups remove', async ({ administration }) => {
    await administration.removeGroup(name);
    return 'The group is removed.';
  });

export const changeGroups = (username: string, change: { readonly add: string[]; readonly remove: string[] }) =>
  administer('janua users groups', async ({ administration }) => {
    const groups = await administration.changeGroups(username, change);
    return groups.length === 0 ? 'The user is in no group.' : `The user is in: ${groups.join(', ')}.`;
  });

interface TypedClaims {
  readonly set: readonly string[];
  readonly remove: readonly string[];
}

const changeOf =
  ({ set, remove }: TypedClaims): ChangeClaims =>
  (present) => ({
    ...present,
    ...Object.fromEntries(remove.map((name) => [name, null])),
    ...Object.fromEntries(set.map(parseClaim)),
  });

const isNoChange = ({ set, remove }: TypedClaims) => set.length + remove.length === 0;

export const groupClaims = (name: string, typed: TypedClaims) =>
  administer('janua groups claims', async ({ administration, claims }) => {
    if (!isNoChange(typed)) await administration.setGroupClaims(name, changeOf(typed));
    return linesOfClaims((await claims.findOfAllGroups()).get(name) ?? {}) || 'The group has no claims.';
  });

export const userClaims = (username: string, typed: TypedClaims) =>
  administer('janua users claims', async ({ administration, users, claims }) => {
    if (!isNoChange(typed)) await administration.setClaims(username, changeOf(typed));
    const account = await users.findByUsername(canonicalUsername(username));
    if (account === undefined) throw new ChangeRefused('There is no user with that name.', 'no-such-user');
    return linesOfClaims(await claims.find(account.user)) || 'The user has no claims.';
  });
