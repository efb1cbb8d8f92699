import type { ListedImport } from '../core/users/imports.ts';
import { administer } from './administer.ts';
import { list, minuteOf } from './list.ts';
import { requireOwnUsers } from './users.ts';

export const listImports = ({ json }: { readonly json?: boolean }) =>
  administer('janua users imports', async ({ imports }) =>
    // All fit into one page: `tables.ts` limits them.
    list(await requireOwnUsers(imports).list(Number.MAX_SAFE_INTEGER, undefined), {
      json,
      none: 'There are no imports with users who still exist.',
      heading: ['ID', 'LABEL', 'TIME', 'BY', 'ADDED', 'LEFT', 'IN USE', 'INVITED', 'WAITING'],
      toRows: (imports) => imports.map(toRow),
    }),
  );

export const undoImport = (id: string) =>
  administer('janua users undo-import', async ({ administration }) => {
    const count = await administration.undoImport(id);
    return `The import is undone. Removed users: ${count}.`;
  });

const toRow = ({
  id,
  label,
  createdAt,
  operator,
  actorId,
  added,
  left,
  used,
  invited,
  waiting,
}: ListedImport): string[] => [
  ...[id, label, minuteOf(createdAt), operator ?? actorId ?? ''],
  ...[added, left, used, invited, waiting].map(String),
];
