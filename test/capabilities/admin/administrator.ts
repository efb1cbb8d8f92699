import { stampOf } from '../../../src/core/users/account.ts';
import type { Held } from '../../../src/core/users/held.ts';
import type { TestJanua } from '../../janua.ts';

const methods = ['pwd', 'otp', 'mfa'] as const;

/** Adds a user in a group that grants these scopes, and gives the headers of their session. */
export async function signInWith(janua: TestJanua, ...scopes: string[]): Promise<{ cookie: string }> {
  const { groups } = janua.services;
  const name = `group-${(await groups.list()).length}`;
  await groups.add({ name, description: '', scopes });
  return signInAs(janua, [name]);
}

/** Adds a user in these groups, and gives the headers of a session that has proved a second factor. */
export async function signInAs(janua: TestJanua, groups: readonly [string, ...string[]]): Promise<{ cookie: string }> {
  const { users, sessions } = janua.services;
  const username = `${groups[0]}@example.com`;
  await addTo(janua, username, groups);
  const account = await users.findByUsername(username);
  if (account === undefined) throw new TypeError('the user was not added');
  const session = await sessions.start({ userId: account.user.id, stamp: stampOf(account) }, { methods });
  return { cookie: `session=${session.cookie}` };
}

/** Adds a user in these groups, and gives the id. */
export async function addTo({ services }: TestJanua, username: string, names: readonly string[]): Promise<string> {
  const { groups, holdNew } = services;
  const user = { username, firstName: 'Ada', lastName: 'Min', passwordHash: 'none', demo: false };
  const add = async (held: Held) => {
    await groups.setGroupsOf(held, () => names);
    return held.user.id;
  };
  const id = await holdNew?.(user, add, { groups: true });
  if (id === undefined) throw new TypeError('the user was not added');
  return id;
}
