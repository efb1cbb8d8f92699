import { addAction } from '../web/action.ts';
import { json, object } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';
import { type createFindUsers, type FoundUser, userRules } from './find-users.ts';
import { listQuery, readList, unreadableList } from './list.ts';

const text = { type: 'string' };
const userSchema = object('A user', {
  id: text,
  username: text,
  first_name: text,
  last_name: text,
  disabled: { type: 'boolean' },
  groups: { type: 'array', items: text },
  created_at: { ...text, description: 'RFC 3339, UTC' },
  second_factor: { type: 'boolean', description: 'Whether there is a passkey or an authenticator app' },
});
const listSchema = object('Users', {
  users: { type: 'array', items: userSchema },
  next_cursor: { type: ['string', 'null'], description: 'For the next page. A page may be short and still have one' },
});
const example = {
  id: '9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c',
  username: 'ann@example.com',
  first_name: 'Ann',
  last_name: 'Archer',
  disabled: false,
  groups: ['staff'],
  created_at: '2026-11-26T08:00:00.000Z',
  second_factor: true,
};

const query = {
  q: { description: 'The beginning of an address, of a name or of a last name', examples: ['ann'] },
  group: { description: 'Users in this group', examples: ['staff'] },
  state: { description: '`enabled` or `disabled`', examples: ['enabled'] },
  factor: { description: 'Whether there is a second factor: `yes` or `no`', examples: ['yes'] },
  sort: { description: '`username` or `-username`', examples: ['-username'] },
  ...listQuery,
};

export interface AdminParts {
  readonly findUsers: ReturnType<typeof createFindUsers>;
}

const describeUser = ({ user, disabled, hasFactor, createdAt }: FoundUser) => ({
  id: user.id,
  username: user.username,
  first_name: user.firstName,
  last_name: user.lastName,
  disabled,
  groups: user.groups,
  created_at: createdAt.toISOString(),
  second_factor: hasFactor,
});

/** Adds the pages on which administrators find users. */
export function addUsers(app: App, parts: () => AdminParts): void {
  addAction(app, ['/admin/users', '/api/admin/users'], {
    method: 'GET',
    summary: 'Users',
    tag: 'Administration',
    config: { signedIn: true, scope: 'users:read', view: 'admin/users', refusals: [unreadableList] },
    query,
    answer: json('Users', listSchema, { users: [example], next_cursor: null }),
    browser: 'The page with the users',
    async handle(request) {
      const list = readList(request.query, userRules);
      const { users, nextCursor } = await parts().findUsers(list);
      return { users: users.map(describeUser), next_cursor: nextCursor ?? null, query: request.query };
    },
  });
}
