import { ChangeRefused } from '../users/change-refused.ts';
import type { ChangeClaims } from '../users/claims.ts';
import type { ChosenGroups, Group } from '../users/groups.ts';
import type { Held } from '../users/held.ts';
import type { Acting, UserReference } from './acting.ts';
import type { AdministrationOptions } from './administration.ts';

export interface GroupChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

export type GroupAdministration = ReturnType<typeof createGroupAdministration>;

/** Returns the new groups of a user, given the groups that the user is in. */
type Choose = (present: readonly string[]) => readonly string[];

/** Changes the groups of users, and the scopes that groups grant. */
export function createGroupAdministration(
  { groups, changeAny }: AdministrationOptions,
  { actor, requireRights, find, adopt, judge, recording }: Acting,
) {
  function setGroupsOf(held: Held, choose: Choose) {
    const { user, account } = held;
    judge(account);
    return groups.setGroupsOf(held, (present, rightsIn) => {
      const fixed = user.groups.filter((name) => !present.includes(name));
      const chosen = choose([...fixed, ...present]);
      requireRights(rightsIn(chosen));
      const taken = fixed.find((name) => !chosen.includes(name));
      if (taken !== undefined)
        throw new ChangeRefused(
          `The user is in ${taken} by ADMINISTRATORS, or by a column of your table. Change it there.`,
        );
      return chosen.filter((name) => !fixed.includes(name));
    });
  }

  async function setGroups(reference: UserReference, choose: Choose): Promise<readonly string[]> {
    const event = {
      kind: 'user-groups-changed',
      about: ({ names }: ChosenGroups) => names.join(' '),
      isChange: ({ areNew }: ChosenGroups) => areNew,
    } as const;
    const userId = (await adopt(reference)).user.id;
    return (await changeAny(event, userId, actor, (held) => setGroupsOf(held, choose))).made.names;
  }

  return {
    setGroupsOf,

    /** Changes the groups of a user, and returns their names. */
    async changeGroups(reference: UserReference, { add = [], remove = [] }: GroupChange): Promise<readonly string[]> {
      if (add.length + remove.length === 0) return (await find(reference)).user.groups;
      return setGroups(reference, (present) => [...present, ...add].filter((name) => !remove.includes(name)));
    },

    /** Puts a user into these groups only. */
    async setGroups(reference: UserReference, names: readonly string[]): Promise<readonly string[]> {
      return setGroups(reference, () => names);
    },

    listGroups: groups.list,

    async setDescription(name: string, description: string): Promise<void> {
      await groups.setDescription(name, description, requireRights, recording('group-described', { about: name }));
    },

    async addGroup(group: Group): Promise<void> {
      requireRights({ groups: [], scopes: group.scopes });
      await groups.add(group, recording('group-added', { about: group.name }));
    },

    async setScopes(name: string, scopes: readonly string[]): Promise<void> {
      const about = [name, ...scopes].join(' ');
      await groups.setScopes(name, scopes, requireRights, recording('group-changed', { about }));
    },

    /** Sets whether users of the group need a second factor to sign in. */
    async setSecondFactor(name: string, demanded: boolean): Promise<void> {
      const kind = demanded ? 'group-factor-demanded' : 'group-factor-optional';
      await groups.setSecondFactor(name, demanded, requireRights, recording(kind, { about: name }));
    },

    /** Changes the custom claims of the users of the group. */
    async setGroupClaims(name: string, change: ChangeClaims): Promise<void> {
      await groups.setClaims(name, change, requireRights, recording('group-claims-changed', { about: name }));
    },

    async removeGroup(name: string): Promise<void> {
      await groups.remove(name, requireRights, recording('group-removed', { about: name }));
    },
  };
}
