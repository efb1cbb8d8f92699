import { ChangeRefused } from '../core/users/change-refused.ts';
import { exportLines } from '../core/users/import-columns.ts';
import type { ListedUser } from '../core/users/user-directory.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { administer } from './administer.ts';
import { list, writeLine } from './list.ts';
import { readNewPassword } from './read-password.ts';

interface NewUser {
  readonly firstName: string;
  readonly lastName: string;
  readonly group: readonly string[];
  readonly handle?: string;
  readonly verified?: boolean;
}

export const addUser = (username: string, { group: groups, ...names }: NewUser) =>
  administer('janua users add', async ({ administration }) => {
    const password = await readNewPassword();
    const user = await administration.add({ username, ...names, groups, password });
    return `Added ${user.username}.`;
  });

/** An operator has no limit of invitations, so that a script can invite any number of users. */
export const inviteUser = (username: string, { group: groups, ...names }: NewUser) =>
  administer('janua users invite', async ({ administration }) => {
    await administration.invite({ username, ...names, groups }, true);
    return 'The user is added, and the server mails the invitation.';
  });

export const sendReset = (username: string) =>
  administer('janua users send-reset', async ({ administration }) => {
    await administration.sendReset(username);
    return 'The server mails the link. It replaces the earlier ones.';
  });

export const setPassword = (username: string) =>
  administer('janua users set-password', async ({ administration }) => {
    await administration.setPassword(username, await readNewPassword());
    return "The password is changed, and the user's sessions have ended.";
  });

const change = (what: 'disable' | 'enable' | 'remove' | 'verify', done: string) => (username: string) =>
  administer(`janua users ${what}`, async ({ administration }) => {
    await administration[what](username);
    return done;
  });

export const disableUser = change('disable', 'The user is disabled, and their sessions have ended.');
export const enableUser = change('enable', 'The user is enabled.');
export const removeUser = change('remove', 'The user is removed, and their sessions have ended.');

export const verifyUser = change('verify', 'The address of the user counts as verified.');

export const setHandle = (username: string, handle = '') =>
  administer('janua users handle', async ({ administration }) => {
    await administration.setHandle(username, handle);
    return handle === '' ? 'The user has no handle.' : 'The handle is changed. The user can sign in with it.';
  });

export const listUsers = ({ json }: { json?: boolean }) =>
  administer('janua users list', ({ administration }) =>
    list(administration.list(), {
      json,
      none: 'There are no users yet. Add one: ./bin/janua users add EMAIL --first-name NAME --last-name NAME',
      heading: ['USER', 'NAME', 'STATE', 'ADDED'],
      toRows: (users) => users.map(toRow),
    }),
  );

interface ExportOptions {
  readonly json?: boolean;
  readonly withHashes?: boolean;
}

export const exportUsers = ({ json, withHashes }: ExportOptions) =>
  administer('janua users export', async ({ users: directory, audit }, caller) => {
    const users = directory.listWithHashes();
    await audit.record({ kind: 'users-exported', caller, about: withHashes ? 'with password hashes' : undefined });
    let demoUsers = 0;
    const onLeftOut = () => {
      demoUsers += 1;
    };
    for await (const line of exportLines(users, { json, withHashes, onLeftOut })) await writeLine(line);
    if (demoUsers > 0) process.stderr.write(`Left out, because their passwords are public: ${demoUsers} demo users.\n`);
    return '';
  });

export const syncUsers = ({ force = false }: { readonly force?: boolean }) =>
  administer('janua users sync', async ({ userSync }) => {
    if (userSync === undefined) throw new ChangeRefused('USERS_TABLE is not set, so there is no table to sync with.');
    const { added, changed, left, tooMany, isCutOff } = await userSync.run({ force });
    const done = `Added ${added}, changed ${changed}, ended ${left}.`;
    if (isCutOff)
      throw new ChangeRefused(`${done} The database could not be reached in time, so the sync stopped. Run it again.`);
    if (tooMany === undefined) return done;
    throw new ChangeRefused(
      `${done} Kept, because they are many: ${tooMany} accounts have no row in USERS_TABLE, or one with another name. If these users have ` +
        'left, run: ./bin/janua users sync --force. If your program has changed their addresses, see USERS_ID in docs/own-table.md.',
    );
  });

/** Accepts the present USERS_TABLE as the one that the accounts came from. */
export const noteMoved = (options: { readonly force?: boolean }) =>
  administer(
    'janua users moved',
    async ({ userSync }) => {
      if (userSync === undefined) throw new Misconfiguration('USERS_TABLE is not set.');
      const { ended, table, ids } = await userSync.move(options);
      return `The accounts belong to ${table}, with ${ids} ids.${ended > 0 ? ` Ended: ${ended}.` : ''}`;
    },
    { acceptsOrigin: true },
  );

/** @throws {ChangeRefused} without `part`, which is there only if users are in Janua's own table */
export function requireOwnUsers<Part>(part: Part | undefined): Part {
  if (part !== undefined) return part;
  throw new ChangeRefused('USERS_TABLE is a table of your own. Import its users with the tools of its database.');
}

function toRow({ username, firstName, lastName, disabled, demo, createdAt }: ListedUser): string[] {
  const state = demo ? 'demo only' : 'enabled';
  return [
    username,
    `${firstName} ${lastName}`.trim(),
    disabled ? 'disabled' : state,
    createdAt?.toISOString().slice(0, 10) ?? '',
  ];
}
