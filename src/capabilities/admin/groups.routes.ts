import { changeRefusals } from '../../core/access/change-refusals.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import { beyondOwn, holds, requireRightsOf } from '../../core/access/rights.ts';
import type { Actor, Administration } from '../../core/changes/administration.ts';
import type { StoredClaims } from '../../core/users/claims.ts';
import type { Groups } from '../../core/users/groups.ts';
import { groupPattern, ownScopes, type RequireRights, readNames } from '../../core/users/scopes.ts';
import { mostCounted } from '../../core/users/user-directory.ts';
import { isPlainLine } from '../../ground/text/printable.ts';
import { addAction, type Field } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { bodyField } from '../../web/body-field.ts';
import { detailAnswer } from '../../web/fields.ts';
import type { FlowOptions } from '../../web/flow-options.ts';
import { showPageWithFaults } from '../../web/form.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, text } from '../../web/openapi/responses.ts';
import type { App, FreshProof, Request } from '../../web/types.ts';
import { claimsFields, claimsSchema, readClaims, refuseClaims } from './claims-field.ts';
import { createDescribeGroup, type GuardParts, groupFields, seesGroup } from './describe-groups.ts';
import { groupsView } from './views.ts';

export interface GroupParts extends GuardParts {
  readonly administer: (actor: Actor, requireRights: RequireRights) => Administration;
  readonly groups: Pick<Groups, 'list' | 'names' | 'knownScopes'>;
  readonly claims: Pick<StoredClaims, 'findOfAllGroups'>;
}

const fields = {
  name: {
    required: true,
    maxLength: 63,
    description: 'Small letters, digits and hyphens',
    examples: ['staff'],
  },
  scopes: { list: true, maxLength: 4000, description: 'What the group grants', examples: ['users:read'] },
  description: { maxLength: 200, description: 'What the group is for', examples: ['All employees'] },
} as const satisfies Record<string, Field>;

const { name, scopes } = fields;

const listSchema = object('Groups', {
  groups: listOf(
    object('A group', {
      ...groupFields,
      claims: claimsSchema,
      unknown_scopes: listOf(
        text('reports:read'),
        'Those of `scopes` that `SCOPES` no longer names. They stay until you leave them out',
      ),
      members: {
        type: ['integer', 'null'],
        description: 'How many users are in it. Null if there are more than 100,000',
        examples: [12],
      },
    }),
  ),
  scopes: listOf(text('users:read'), 'All scopes that a group can grant'),
  next_cursor: nextCursor,
});

const page = '/admin/groups';
const view = groupsView;
const refusals = [
  beyondOwn,
  changeRefusals['change-refused'],
  changeRefusals['no-such-group'],
  changeRefusals['too-many-kept'],
];
const freshProof: FreshProof = { page: ({ admin }) => admin.pages.groups, scope: 'users:write', showsList: true };
const config = { signedIn: true, scope: 'users:write', openedAt: page, freshProof, refusals };

/** Adds the page on which administrators list, make, change and remove groups. */
export function addGroups(app: App, parts: () => GroupParts, { features }: Pick<FlowOptions, 'features'>): void {
  async function list(request: Request) {
    const { limit, after } = readList(request.query, { keyLength: 1 });
    const signedIn = signedInOf(request);
    const describe = await createDescribeGroup(signedIn, parts());
    const { knownScopes, list } = parts().groups;
    const found = await list(limit + 1, after?.[0], (group) => seesGroup(signedIn, group));
    const { entries, next_cursor } = pageOf(found, limit, ({ name }) => [name]);
    const claims = await parts().claims.findOfAllGroups();
    const groups = entries.map((group) => ({
      ...describe(group),
      claims: claims.get(group.name) ?? {},
      unknown_scopes: group.scopes.filter((scope) => !knownScopes.includes(scope)),
      members: group.members ?? null,
    }));
    return { groups, next_cursor, query: request.query };
  }

  async function requireGroup(name: string): Promise<void> {
    if (!(await parts().groups.names()).includes(name)) throw new Refusal(changeRefusals['no-such-group']);
  }

  const administrationOf = (request: Request) =>
    parts().administer(actorOf(request), requireRightsOf(signedInOf(request)));

  async function show(request: Request) {
    const signedIn = signedInOf(request);
    const { knownScopes } = parts().groups;
    return {
      ...(await list(request)),
      scopes: knownScopes,
      ownScopes: Object.keys(ownScopes),
      heldScopes: knownScopes.filter((scope) => holds(signedIn, { groups: [], scopes: [scope] })),
      mostCounted,
      mayChange: signedIn.scopes.includes('users:write'),
      values: {},
      errors: {},
    };
  }

  addAction(app, [page, '/api/admin/groups'], {
    method: 'GET',
    summary: 'Groups',
    tag,
    description: 'By name.',
    config: { signedIn: true, scope: 'users:read', machines: true, freshProof, view, refusals: [unreadableList] },
    query: listQuery,
    answer: json('The groups', listSchema, { next_cursor: null }),
    browser: 'The page with the groups',
    handle: show,
  });

  addAction(app, [page, '/api/admin/groups'], {
    method: 'POST',
    summary: 'Add a group',
    tag,
    config: { ...config, view },
    fields,
    answer: json('The group was added', object('The group', { name: text('staff') })),
    status: 201,
    browser: 'To the page with the groups',
    refuse: showPageWithFaults(async (request) => ({ ...(await show(request)), values: request.body ?? {} })),
    async handle(request, reply, { name, scopes, description = '' }) {
      if (!groupPattern.test(name)) throw new InvalidFields({ field: 'name', code: 'not-a-group-name' });
      if (!isPlainLine(description.trim())) throw new InvalidFields({ field: 'description', code: 'malformed' });
      if ((await parts().groups.names()).includes(name))
        throw new InvalidFields({ field: 'name', code: 'group-exists' });
      const names = readNames(scopes);
      await administrationOf(request).addGroup({ name, description: description.trim(), scopes: names });
      return reply.proceed(`${page}?state=added`, { name });
    },
  });

  addAction(app, [`${page}/scopes`, '/api/admin/groups/scopes'], {
    method: 'POST',
    summary: 'Change what a group grants',
    tag,
    config,
    fields: { name, scopes: { ...scopes, description: 'All scopes that the group grants from now on' } },
    answer: detailAnswer('Scopes changed'),
    browser: 'To the page with the groups',
    async handle(request, reply, { name, scopes }) {
      // A form omits boxes that are not ticked, so only a program must send the field.
      if (scopes === undefined && request.format === 'json')
        throw new InvalidFields({ field: 'scopes', code: 'missing' });
      const names = readNames(scopes);
      await requireGroup(name);
      await administrationOf(request).setScopes(name, names);
      return reply.proceed(`${page}?state=changed`, { detail: 'Scopes changed' });
    },
  });

  addAction(app, [`${page}/claims`, '/api/admin/groups/claims'], {
    method: 'POST',
    summary: 'Set the custom claims of the users of a group',
    tag,
    config: { ...config, view },
    fields: { name, ...claimsFields },
    answer: detailAnswer('Claims changed'),
    browser: 'To the page with the groups',
    refuse: showPageWithFaults(async (request) => {
      const [claimed, claims] = [bodyField(request.body, 'name'), bodyField(request.body, 'claims')];
      return { ...(await show(request)), values: { claimed, ...(typeof claims === 'string' && { claims }) } };
    }),
    async handle(request, reply, { name, claims }) {
      if (claims === undefined) throw new InvalidFields({ field: 'claims', code: 'missing' });
      const wanted = readClaims({ claims });
      await requireGroup(name);
      await administrationOf(request)
        .setGroupClaims(name, () => wanted)
        .catch(refuseClaims);
      return reply.proceed(`${page}?state=changed`, { detail: 'Claims changed' });
    },
  });

  if (features.secondFactor)
    addAction(app, [`${page}/second-factor`, '/api/admin/groups/second-factor'], {
      method: 'POST',
      summary: 'Demand a second factor of the users of a group',
      description:
        'Users without a factor add one by a mailed link when they next sign in. Sessions from before go on.',
      tag,
      // An administrator who demands or lifts second factors must have proved one in this session. Otherwise an administrator without a
      // factor could be locked out by their own demand.
      config: { ...config, signedIn: { with: 'second-factor' } },
      fields: {
        name,
        demanded: { required: true, boolean: true, description: 'Whether they need one', examples: ['true'] },
      },
      answer: detailAnswer('Group changed'),
      browser: 'To the page with the groups',
      async handle(request, reply, { name, demanded }) {
        await requireGroup(name);
        await administrationOf(request).setSecondFactor(name, demanded === 'true');
        return reply.proceed(`${page}?state=changed`, { detail: 'Group changed' });
      },
    });

  addAction(app, [`${page}/remove`, '/api/admin/groups/remove'], {
    method: 'POST',
    summary: 'Remove a group',
    tag,
    config: { ...config, refusals: [...refusals, changeRefusals['group-demands-factor']] },
    fields: { name },
    answer: detailAnswer('Group removed'),
    browser: 'To the page with the groups',
    async handle(request, reply, { name }) {
      await requireGroup(name);
      await administrationOf(request).removeGroup(name);
      return reply.proceed(`${page}?state=removed`, { detail: 'Group removed' });
    },
  });
}
