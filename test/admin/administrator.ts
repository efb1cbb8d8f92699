import { stampOf } from '../../src/users/account.ts';
import { provedBy } from '../../src/users/held.ts';
import type { TestJanua } from '../janua.ts';

/** Adds a user in a group that grants these scopes, and gives the headers of their session. */
export async function signInWith({ services }: TestJanua, ...scopes: string[]): Promise<{ cookie: string }> {
  const { groups, users, registry, sessions, hold } = services;
  const name = `group-${(await groups.list()).length}`;
  await groups.add({ name, description: '', scopes });
  const username = `${name}@example.com`;
  await registry?.add({ username, firstName: 'Ada', lastName: 'Min', passwordHash: 'none', demo: false });
  const added = await users.findByUsername(username);
  if (added === undefined) throw new TypeError('the user was not added');
  await hold(provedBy(added), (held) => groups.setGroupsOf(held, () => [name]), { groups: true });
  const session = await sessions.start({ userId: added.user.id, stamp: stampOf(added) }, { methods: ['pwd'] });
  return { cookie: `session=${session.cookie}` };
}
