import { minPasswordLength } from '../passwords/policy.ts';
import type { ListedUser } from '../users/user-directory.ts';
import { administer } from './administer.ts';
import { list } from './list.ts';
import { readNewPassword } from './read-password.ts';

interface NewUser {
  readonly firstName: string;
  readonly lastName: string;
  readonly group: readonly string[];
}

export const addUser = (username: string, { group: groups, ...names }: NewUser) =>
  administer('janua users add', async ({ administration }) => {
    const password = await readNewPassword(minPasswordLength);
    const user = await administration.add({ username, ...names, groups, password });
    return `Added ${user.username}.`;
  });

export const setPassword = (username: string) =>
  administer('janua users set-password', async ({ administration }) => {
    await administration.setPassword(username, await readNewPassword(minPasswordLength));
    return "The password is changed, and the user's sessions have ended.";
  });

const change = (what: 'disable' | 'enable' | 'remove', done: string) => (username: string) =>
  administer(`janua users ${what}`, async ({ administration }) => {
    await administration[what](username);
    return done;
  });

export const disableUser = change('disable', 'The user is disabled, and their sessions have ended.');
export const enableUser = change('enable', 'The user is enabled.');
export const removeUser = change('remove', 'The user is removed, and their sessions have ended.');

export const listUsers = ({ json }: { json?: boolean }) =>
  administer('janua users list', ({ administration }) =>
    list(administration.list(), {
      json,
      none: 'There are no users yet. Add one: npx janua users add EMAIL --first-name NAME --last-name NAME',
      heading: ['USER', 'NAME', 'STATE', 'ADDED'],
      toRows: (users) => users.map(toRow),
    }),
  );

function toRow({ username, firstName, lastName, disabled, demo, createdAt }: ListedUser): string[] {
  const state = demo ? 'demo only' : 'enabled';
  return [
    username,
    `${firstName} ${lastName}`.trim(),
    disabled ? 'disabled' : state,
    createdAt?.toISOString().slice(0, 10) ?? '',
  ];
}
