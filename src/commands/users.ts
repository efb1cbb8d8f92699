import { compose } from '../compose.ts';
import { loadSettings } from '../config/load.ts';
import type { Administration } from '../identity/administration.ts';
import type { ListedUser } from '../identity/user-directory.ts';
import { readNewPassword } from './read-password.ts';

/** Runs one administrative task on the configured database and says in a line what was done. */
async function administer(task: (administration: Administration) => Promise<string>): Promise<void> {
  const services = await compose(loadSettings());
  try {
    const text = await task(services.administration);
    if (text !== '') process.stdout.write(`${text}\n`);
  } finally {
    await services.close();
  }
}

export const addUser = (username: string, names: { firstName: string; lastName: string }) =>
  administer(async (administration) => {
    const user = await administration.add({ username, ...names, password: await readNewPassword() });
    return `Added ${user.username}.`;
  });

export const setPassword = (username: string) =>
  administer(async (administration) => {
    await administration.setPassword(username, await readNewPassword());
    return 'The password is changed, and the sessions of the user have ended.';
  });

export const disableUser = (username: string) =>
  administer(async (administration) => {
    await administration.disable(username);
    return 'The user is disabled, and their sessions have ended.';
  });

export const enableUser = (username: string) =>
  administer(async (administration) => {
    await administration.enable(username);
    return 'The user is enabled.';
  });

export const removeUser = (username: string) =>
  administer(async (administration) => {
    await administration.remove(username);
    return 'The user is removed, and their sessions have ended.';
  });

export const listUsers = ({ json }: { json?: boolean }) =>
  administer(async (administration) => {
    const users = await administration.list();
    if (json) return users.map((user) => JSON.stringify(user)).join('\n');
    if (users.length === 0)
      return 'There are no users yet. Add one: npx janua users add EMAIL --first-name NAME --last-name NAME';
    const rows = users.map((user) => [
      user.username,
      `${user.firstName} ${user.lastName}`.trim(),
      stateOf(user),
      user.createdAt.toISOString().slice(0, 10),
    ]);
    return formatTable([['USER', 'NAME', 'STATE', 'ADDED'], ...rows]);
  });

function stateOf({ disabled, demo }: ListedUser): string {
  if (disabled) return 'disabled';
  return demo ? 'demo only' : 'enabled';
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
