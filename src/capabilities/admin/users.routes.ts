import type { SignedIn } from '../../core/access/access.ts';
import { holds, holdsAll } from '../../core/access/rights.ts';
import { rightsOfAccount } from '../../core/users/account.ts';
import type { Groups } from '../../core/users/groups.ts';
import { mostCounted, type UserDirectory } from '../../core/users/user-directory.ts';
import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import type { FlowOptions } from '../../web/flow-options.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { listQuery, listRefusals, nextCursor as nextCursorSchema, readList } from '../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { type createFindUsers, type FoundUser, type Reach, userRules } from './find-users.ts';
import type { SealedCursors } from './sealed-cursors.ts';
import { usersView } from './user-views.ts';

export const userFields = {
  id: text('9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c'),
  username: text('ann@example.com'),
  handle: { ...orNull(text('ann')), description: 'A second name with which the user signs in' },
  email_verified: { type: 'boolean', description: 'Whether the address is verified' },
  first_name: text('Ann'),
  last_name: text('Archer'),
  disabled: { type: 'boolean' },
  demo: { type: 'boolean', description: 'Whether it is a user of the demo, whom an export leaves out' },
  groups: listOf(text('staff')),
  created_at: { ...orNull(time), description: 'RFC 3339, UTC. In a table of your own: when Janua first saw the user' },
  last_login_at: { ...orNull(time), description: 'RFC 3339, UTC. Null if there was none yet' },
  factors: listOf(text('app'), '`app` and `passkey`'),
};

const listSchema = object('Users', {
  users: listOf(object('A user', userFields)),
  next_cursor: nextCursorSchema,
  total: {
    type: ['integer', 'null'],
    description: 'How many users there are. Null if the list is filtered, or if there are more than 100,000',
    examples: [12],
  },
});

const query = {
  q: { description: 'The beginning of an address, of a name, of a last name or of a handle', examples: ['ann'] },
  group: { description: 'Users in this group', examples: ['staff'] },
  state: { description: '`enabled` or `disabled`', examples: ['enabled'] },
  factor: { description: 'Whether there is a second factor: `yes` or `no`', examples: ['yes'] },
  sort: { description: '`username` or `created_at`. With `-` before it: descending', examples: ['-created_at'] },
  ...listQuery,
};

export interface UserListParts {
  readonly users: UserDirectory;
  readonly findUsers: ReturnType<typeof createFindUsers>;
  readonly groups: Pick<Groups, 'names'>;
  readonly cursors: SealedCursors;
}

export const describeUser = ({
  id,
  username,
  handle,
  firstName,
  lastName,
  disabled,
  demo,
  groups,
  ...user
}: FoundUser) => ({
  ...{
    id,
    username,
    handle: handle ?? null,
    email_verified: user.addressVerified,
    first_name: firstName,
    last_name: lastName,
    disabled,
    demo,
    groups,
  },
  created_at: user.createdAt?.toISOString() ?? null,
  last_login_at: user.lastLoginAt?.toISOString() ?? null,
  factors: user.factors,
});

/** Undefined for a person, who may read all users. */
const reachOf = (signedIn: SignedIn): Reach | undefined =>
  signedIn.machine && {
    groups: signedIn.user.groups,
    addedBy: signedIn.user.id,
    allows: (account) => holds(signedIn, rightsOfAccount(account)),
  };

/** Adds the pages on which administrators find users. */
export function addUsers(app: App, parts: () => UserListParts, { features }: Pick<FlowOptions, 'features'>): void {
  addAction(app, ['/admin/users', '/api/admin/users'], {
    method: 'GET',
    summary: 'Users',
    description: 'Sorted by `username`, or by the word that was found if more than 2,000 are.',
    tag,
    config: { signedIn: true, scope: 'users:read', machines: true, view: usersView, refusals: listRefusals },
    query,
    answer: json('Users', listSchema, { next_cursor: null }),
    browser: 'The page with the users',
    async handle(request, reply) {
      const { findUsers, users: directory, cursors } = parts();
      const signedIn = signedInOf(request);
      const reach = reachOf(signedIn);
      const list = readList(reach ? cursors.open(request.query, reach.addedBy) : request.query, userRules);
      const { users, nextCursor } = await findUsers.list(list, reach);
      const isFiltered = reach !== undefined || [list.q, ...Object.values(list.filters)].some((value) => value !== '');
      const counted = isFiltered ? 0 : await directory.count(mostCounted + 1);
      const page = {
        users: users.map(describeUser),
        next_cursor: nextCursor === undefined ? null : reach ? cursors.seal(nextCursor, reach.addedBy) : nextCursor,
        total: isFiltered || counted > mostCounted ? null : counted,
      };
      if (request.format === 'json') return reply.send(page);
      // Without mail, the administrator gets the link of a new user, which only members of `admins` may have.
      const mayAdd =
        features.ownAccounts && signedIn.scopes.includes('users:write') && (features.mail || holdsAll(signedIn));
      const moreThan = counted > mostCounted ? mostCounted : undefined;
      const groups = await parts().groups.names();
      // `deleted` selects a message, because `state` is a filter on this page. The links of the page leave it out, so the message is shown
      // once.
      const { deleted, ...query } = request.query as Readonly<Record<string, unknown>>;
      return { ...page, moreThan, deleted, query, groups, mayAdd, mayImport: mayAdd && holdsAll(signedIn) };
    },
  });
}
