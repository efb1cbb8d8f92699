import { ChangeRefused } from '../../core/users/change-refused.ts';
import { admins, groupPattern, wordsOfRules } from '../../core/users/scopes.ts';
import { isPlainLine } from '../../ground/text/printable.ts';
import { type Json, objectOf, objectsOf, textOf, textsOf } from './values.ts';

/** A group that an export asks for. */
export interface WantedGroup {
  /** Its name here. */
  readonly name: string;
  readonly description: string;
  /** The path of the group in Keycloak, or `role NAME` for a realm role. */
  readonly source: string;
}

/** Most groups and roles that are read, and how deep groups may lie in each other. */
const most = { groups: 2000, depth: 20 };

/** The roles that each realm has, and each user. They grant something of Keycloak itself. */
const isBuiltIn = (role: string) =>
  ['offline_access', 'uma_authorization'].includes(role) || role.startsWith('default-roles-');

/** Makes the name of a group here: small letters and digits, joined by hyphens. */
const nameOf = (text: string) =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');

/** Returns a description as one line. Empty for a name of a text in Keycloak's own catalogue. */
function lineOf(description: string): string {
  const line = [...description.replaceAll(/\s+/g, ' ').trim()].slice(0, 200).join('');
  return line.startsWith('${') || !isPlainLine(line) ? '' : line;
}

export type Tell = (text: string) => void;

/** Collects the groups of a realm. Two with one name here would join their users, who may have different rights. */
export function createGroupNames() {
  const groups: WantedGroup[] = [];
  const names = new Map<string, string>();

  function add(source: string, text: string, description: string, tell: Tell): void {
    const name = nameOf(text);
    const other = names.get(name);
    if (!groupPattern.test(name)) tell(`${source} cannot be a group: its name would be "${name}".`);
    else if (name === admins || wordsOfRules.includes(name))
      tell(`${source} is not brought: here, ${name} means something else. Give these users a group by hand.`);
    else if (other !== undefined) tell(`${source} is not brought: its name would be ${name}, as that of ${other}.`);
    else if (groups.length >= most.groups)
      throw new ChangeRefused(`There are more than ${most.groups} groups and roles.`);
    else {
      names.set(name, source);
      groups.push({ name, source, description: lineOf(description) });
    }
  }

  function addGroup(group: Json, parent: string, depth: number, tell: Tell): void {
    if (depth > most.depth) throw new ChangeRefused('Groups are nested too deeply.');
    const path = `${parent}/${textOf(group, 'name')}`;
    add(path, path, textOf(group, 'description'), tell);
    const roles = [...textsOf(group, 'realmRoles'), ...Object.keys(objectOf(group, 'clientRoles'))];
    if (roles.length > 0)
      tell(`${path} gives its users roles, which are not brought: ${roles.slice(0, 20).join(', ')}.`);
    for (const child of objectsOf(group, 'subGroups')) addGroup(child, path, depth + 1, tell);
  }

  return {
    groups,

    /** Adds a group of the first level, and those in it. Each is a group of its own: its name is made of the whole path. */
    addTree: (group: Json, tell: Tell) => addGroup(group, '', 1, tell),

    /** Adds the realm roles. Each is a group with the prefix `role-`, so that it is no other group. */
    addRoles(roles: Json, tell: Tell): void {
      for (const role of objectsOf(roles, 'realm')) {
        const name = textOf(role, 'name');
        if (isBuiltIn(name)) continue;
        add(`role ${name}`, `role-${name}`, textOf(role, 'description'), tell);
        if (role.composites !== undefined) tell(`role ${name} has other roles in it. Its users do not get these.`);
      }
    },
  };
}

/** Returns the sources of the groups of a user. */
export const sourcesOf = (user: Json): readonly string[] => [
  ...textsOf(user, 'groups'),
  ...textsOf(user, 'realmRoles')
    .filter((role) => !isBuiltIn(role))
    .map((role) => `role ${role}`),
];
