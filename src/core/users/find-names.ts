import type { UserDirectory } from './user-directory.ts';

/** A user, or a program that acts as itself. Events name a program by the id of its client. */
interface Named {
  readonly name: string;
  readonly isProgram: boolean;
}

export type Names = ReadonlyMap<string, Named>;

export type FindNames = ReturnType<typeof createFindNames>;

/** Creates the function that finds the names of events by ids. The clients are read once, and only if an id belongs to no user. */
export function createFindNames({
  users,
  listClients,
}: {
  readonly users: Pick<UserDirectory, 'findAll'>;
  readonly listClients: () => Promise<readonly { readonly id: string; readonly name: string }[]>;
}) {
  let clients: ReturnType<typeof listClients> | undefined;

  return async (ids: readonly (string | undefined)[]): Promise<Names> => {
    const asked = new Set(ids.filter((id) => id !== undefined));
    const names = new Map<string, Named>();
    for (const [id, { user }] of await users.findAll([...asked]))
      names.set(id, { name: user.username, isProgram: false });
    if ([...asked].every((id) => names.has(id))) return names;
    clients ??= listClients();
    for (const { id, name } of await clients)
      if (asked.has(id) && !names.has(id)) names.set(id, { name, isProgram: true });
    return names;
  };
}

/** Returns the names in an event. Its `userId` is the id of a user, or of a program. */
export function namesIn(
  names: Names,
  { userId = '', actorId = '' }: { readonly userId?: string | undefined; readonly actorId?: string | undefined },
) {
  const owner = names.get(userId);
  return {
    username: owner?.isProgram ? undefined : owner?.name,
    program: owner?.isProgram ? owner.name : undefined,
    actor: names.get(actorId)?.name,
  };
}
