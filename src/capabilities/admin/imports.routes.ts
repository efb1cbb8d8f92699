import { changeRefusals } from '../../core/access/change-refusals.ts';
import { requireRightsOf } from '../../core/access/rights.ts';
import type { Actor, Administration } from '../../core/changes/administration.ts';
import type { Imports, ListedImport } from '../../core/users/imports.ts';
import type { RequireRights } from '../../core/users/scopes.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import type { App, FreshProof } from '../../web/types.ts';
import { onlyAdmins } from './user.routes.ts';
import { requireMayImport } from './user-files.routes.ts';
import { importsView } from './user-views.ts';

export interface ImportParts {
  readonly imports: Pick<Imports, 'list'> | undefined;
  readonly administer: (actor: Actor, requireRights: RequireRights) => Administration;
  readonly users: Pick<UserDirectory, 'findAll'>;
}

const exampleImport = '019ab8f0-0000-7000-8000-000000000000';
const number = { type: 'integer', examples: [2] } as const;

const importSchema = object('An import', {
  id: text(exampleImport),
  label: text('people.csv', 'The name of the file. Empty for rows that were typed'),
  actor: orNull(text('ada@example.com', 'The administrator. Null for an operator, or if the administrator is gone')),
  operator: orNull(text('root', 'The account of the operator who ran the command')),
  created_at: time,
  added: { ...number, description: 'Users that it added' },
  left: { ...number, description: 'Those who still exist' },
  used: { ...number, description: 'Those who have signed in or chosen a password. At 0, the import can be undone' },
  invited: { ...number, description: 'Those who were mailed an invitation' },
  waiting: { ...number, description: 'Those who still await one' },
});

const page = '/admin/users/imports';
const refusals = [onlyAdmins, unreadableList];
const freshProof: FreshProof = { page: ({ admin }) => admin.users.imports, scope: 'users:write', showsList: true };

const describeImport = ({ id, label, operator, createdAt, ...counts }: ListedImport, actor: string | undefined) => ({
  ...{ id, label, operator: operator ?? null, actor: actor ?? null, created_at: createdAt.toISOString() },
  ...{ added: counts.added, left: counts.left, used: counts.used },
  ...{ invited: counts.invited, waiting: counts.waiting },
});

/** Adds the page that lists imports, and undoes one. Like the import itself, it is for members of `admins`. */
export function addImports(app: App, parts: () => ImportParts): void {
  addAction(app, [page, '/api/admin/users/imports'], {
    method: 'GET',
    summary: 'Imports',
    description: 'The latest imports with users who still exist, the newest first. It is for members of `admins`.',
    tag,
    config: { signedIn: true, scope: 'users:write', freshProof, view: importsView, refusals },
    query: listQuery,
    answer: json('The imports', object('Imports', { imports: listOf(importSchema), next_cursor: nextCursor }), {
      next_cursor: null,
    }),
    browser: 'The page with the imports',
    async handle(request) {
      requireMayImport(request);
      const { imports, users } = parts();
      const { limit, after } = readList(request.query, { keyLength: 1 });
      const found = (await imports?.list(limit + 1, after?.[0])) ?? [];
      const { entries, next_cursor } = pageOf(found, limit, ({ id }) => [id]);
      const accounts = await users.findAll(entries.flatMap(({ actorId = [] }) => actorId));
      return {
        imports: entries.map((entry) => describeImport(entry, accounts.get(entry.actorId ?? '')?.user.username)),
        next_cursor,
        query: request.query,
      };
    },
  });

  addAction(app, [`${page}/undo`, '/api/admin/users/imports/undo'], {
    method: 'POST',
    summary: 'Undo an import',
    description:
      'Removes the users of the import who still exist, all or none. Refused once one of them has signed in or chosen a password.',
    tag,
    config: {
      ...{ signedIn: true, scope: 'users:write', openedAt: page, freshProof },
      refusals: [
        onlyAdmins,
        changeRefusals['no-such-import'],
        changeRefusals['import-in-use'],
        changeRefusals['last-administrator'],
      ],
    },
    fields: { id: { required: true, maxLength: 36, description: 'The id of the import', examples: [exampleImport] } },
    answer: json('The users are removed', object('How many', { count: number })),
    browser: 'To the page with the imports',
    async handle(request, reply, { id }) {
      requireMayImport(request);
      const { administer } = parts();
      const count = await administer(actorOf(request), requireRightsOf(signedInOf(request))).undoImport(id);
      return reply.proceed(`${page}?state=undone`, { count });
    },
  });
}
