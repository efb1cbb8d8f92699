import { Readable } from 'node:stream';
import { changeRefusals } from '../../core/access/change-refusals.ts';
import { insufficientUserAuthentication } from '../../core/access/fresh-proof.ts';
import { Refusal } from '../../core/access/refusal.ts';
import { holdsAll } from '../../core/access/rights.ts';
import type { Core } from '../../core/core.ts';
import { type ChangeRefused, Unreadable } from '../../core/users/change-refused.ts';
import { noRows } from '../../core/users/import-batches.ts';
import { exportLines, importColumns } from '../../core/users/import-columns.ts';
import { importRows, type RowOptions } from '../../core/users/import-rows.ts';
import { labelOf, longestLabel } from '../../core/users/imports.ts';
import { createTurns } from '../../ground/faults/turns.ts';
import { tag } from '../../web/admin-pages.ts';
import { acceptFiles, uploadLimit } from '../../web/file-upload.ts';
import { addForm } from '../../web/form.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { unreadableList } from '../../web/list.ts';
import { json, listOf, object, text } from '../../web/openapi/responses.ts';
import { tellOf } from '../../web/tell-of.ts';
import type { App, Request } from '../../web/types.ts';
import { addExport } from './file-export.ts';
import { onlyAdmins } from './user.routes.ts';
import { importView } from './user-views.ts';

/** Most refused rows that a response explains. An explanation is many times longer than its row. */
export const mostRefusals = 1000;

const number = { type: 'integer', examples: [2] } as const;

const resultSchema = object('What the import did, or would do', {
  dry_run: { type: 'boolean' },
  added: { ...number, description: 'Users who are new' },
  there_already: { ...number, description: 'Users who stay as they are' },
  refused: listOf(
    object('A row', { line: { type: 'integer', examples: [3] }, detail: text('There is no group staf.') }),
    `Rows that cannot be read, at most ${mostRefusals}. The others are added`,
  ),
  more_refused: { ...number, description: 'Refused rows that are not listed' },
});

/** Collects the rows that an import has refused, for correction: below the header of a CSV, and numbered by their new lines. */
function keepRefused(rows: string, label: string, refused: readonly RefusedRow[], refusedLines: readonly number[]) {
  const lines = rows.split(/\r\n|\r|\n/);
  const header = rows.trimStart().startsWith('{') ? [] : lines.filter((line) => line.trim() !== '').slice(0, 1);
  const kept = [...header, ...refusedLines.map((line) => lines[line - 1] ?? '')];
  const numbered = refused.map(({ detail }, index) => ({ line: header.length + index + 1, detail }));
  return { refused: numbered, values: refusedLines.length === 0 ? { rows: '' } : { rows: kept.join('\n'), label } };
}

interface RefusedRow {
  readonly line: number;
  readonly detail: string;
}

const describeFile = ({ name }: File) => ({ label: labelOf(name) });

type Parts = Pick<Core, 'users' | 'imports' | 'importUsers' | 'groups' | 'audit' | 'access'>;

/** Adds the import and the export of users, by the rules of `janua users import` and `export`. */
export function addUserFiles(app: App, parts: () => Parts, mayInvite: boolean): void {
  addExport(app, '/admin/users/export', () => parts().access, {
    name: 'users',
    summary: 'Export of the users',
    description: 'Every user, as the import reads them, without password hashes.',
    config: {
      signedIn: true,
      scope: 'users:read',
      openedAt: '/admin/users',
      freshProof: { page: ({ admin }) => admin.pages.users },
      refusals: [unreadableList, insufficientUserAuthentication],
    },
    async open(request, format) {
      await request.proveFresh(undefined);
      const { users, audit } = parts();
      const event = { kind: 'users-exported', ...actorOf(request) } as const;
      audit.requireAllowance(event);
      await audit.record(event);
      return exportLines(users.listWithHashes(), { json: format === 'jsonl' });
    },
  });

  app.register(async (uploads: App) => {
    acceptFiles(uploads, { describe: describeFile }, async (request) => {
      requireMayImport(request);
      await request.proveFresh(undefined);
    });
    addImport(uploads, parts, mayInvite);
  });
}

/** Between the batches of an import, other requests go on. */
const batchTurns = createTurns({ part: 'Import', atOnce: 1, waiting: 20, rests: true });

/** Imports of a process run one after the other. */
const importTurns = createTurns({ part: 'Import', atOnce: 1, waiting: 20 });

/** Requires all rights, because an imported password hash or group could grant any of them. @throws {Refusal} `only-admins` */
export function requireMayImport(request: Request): void {
  if (!holdsAll(signedInOf(request))) throw new Refusal(onlyAdmins);
}

function addImport(app: App, parts: () => Parts, mayInvite: boolean): void {
  addForm(app, ['/admin/users/import', '/api/admin/users/import'], {
    summary: 'Import users',
    description: 'Adds the users of a file. It is for members of `admins`. `janua users import` takes larger files.',
    tag,
    config: {
      signedIn: true,
      scope: 'users:write',
      freshProof: { page: ({ admin }) => admin.users.import },
      refusals: [onlyAdmins, changeRefusals['no-mail']],
    },
    view: importView,
    fields: {
      rows: {
        required: true,
        maxLength: uploadLimit,
        description: `CSV with a header, or JSON lines: ${importColumns.join(', ')}. A page can send a file`,
        examples: ['username,first_name,last_name\nann@example.com,Ann,Archer'],
      },
      label: {
        maxLength: longestLabel,
        description: 'Names the import in the list of imports. A page takes the name of the file',
        examples: ['people.csv'],
      },
      invite: {
        boolean: true,
        description: 'Whether to mail an invitation to each added user without a password, as the limits of mail allow',
      },
      dry_run: { boolean: true, description: 'Whether to only say what would be added' },
    },
    answer: json('What the import did', resultSchema),
    browser: 'The page with the result',
    async show(request) {
      requireMayImport(request);
      return { columns: importColumns, mayInvite };
    },
    async submit(request, reply, { rows, label = '', dry_run, invite }) {
      requireMayImport(request);
      const { importUsers, imports, groups } = parts();
      const made = imports?.begin(labelOf(label.trim()), invite === 'true');
      const isRehearsal = dry_run === 'true';
      const counts = noRows();
      const refusedLines: number[] = [];
      const refused: RefusedRow[] = [];
      const tell = tellOf(request);
      const refuse = (line: number, reason: ChangeRefused) => {
        refusedLines.push(line);
        const detail = reason instanceof Unreadable ? reason.explain(tell) : reason.message;
        if (refused.length < mostRefusals) refused.push({ line, detail });
      };
      const work = { places: [], parties: [signedInOf(request).user.id] };
      const options: RowOptions = {
        knownGroups: new Set(await groups.names()),
        addUsers: (users, refuseUser) =>
          batchTurns.take(
            work,
            async () =>
              (made &&
                (await importUsers?.(users, { import: made, actor: actorOf(request), isRehearsal }, refuseUser))) ??
              0,
          ),
        refuse,
      };
      // `importRows` reads Latin-1, with one character for each byte of the file.
      const input = Readable.from([Buffer.from(rows).toString('latin1')], { encoding: 'latin1' });
      try {
        await importTurns.take(work, () => importRows(input, options, counts));
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        refuse(1, error);
      }
      return reply.send({
        dry_run: isRehearsal,
        added: counts.added,
        there_already: counts.rows - counts.added - counts.refused,
        refused,
        more_refused: refusedLines.length - refused.length,
        columns: importColumns,
        mayInvite,
        invites: invite === 'true',
        values: { rows, label },
        // If the header is wrong, all rows stay in the form for correction.
        ...(request.format === 'html' &&
          !isRehearsal &&
          counts.rows > 0 &&
          keepRefused(rows, label, refused, refusedLines)),
        errors: {},
      });
    },
  });
}
