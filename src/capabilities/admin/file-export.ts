import { Readable } from 'node:stream';
import { byteOrderMark } from '../../ground/text/csv.ts';
import type { Action } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { refuseList } from '../../web/list.ts';
import { header } from '../../web/openapi/responses.ts';
import type { App, Request } from '../../web/types.ts';

const types = { csv: 'text/csv', jsonl: 'application/jsonl' } as const;

export type FileFormat = keyof typeof types;

interface FileExport {
  /** Of the file, without its ending. */
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly config: Action['config'];
  /** The fields of the query besides `format`. */
  readonly query?: Readonly<Record<string, object>>;
  /** Judges and records the export, and gives its lines. */
  open(request: Request, format: FileFormat): Promise<AsyncIterable<string> | Iterable<string>>;
}

/** Adds a page that answers with a file, which a browser saves. */
export function addExport(
  app: App,
  url: string,
  { name, summary, description, config, query, open }: FileExport,
): void {
  app.get(
    url,
    {
      config,
      schema: {
        summary,
        description,
        tags: [tag],
        querystring: {
          type: 'object',
          properties: { format: { description: '`csv` or `jsonl`', examples: ['csv'] }, ...query },
        },
        response: {
          200: {
            description: 'A file',
            headers: header('Content-Disposition', 'A name for the file'),
            content: Object.fromEntries(
              Object.values(types).map((type) => [type, { schema: { type: 'string' }, example: '…' }]),
            ),
          },
        },
      },
    },
    async (request, reply) => {
      const { format } = request.query as Readonly<Record<string, unknown>>;
      if (format !== 'csv' && format !== 'jsonl') return refuseList();
      const lines = await open(request, format);
      reply
        .type(`${types[format]}; charset=utf-8`)
        .header('content-disposition', `attachment; filename="${name}.${format}"`);
      // In bytes, so that lines fill the packets. When the client goes away, the reading ends.
      return reply.send(Readable.from(format === 'csv' ? withByteOrderMark(lines) : lines, { objectMode: false }));
    },
  );
}

async function* withByteOrderMark(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  yield byteOrderMark;
  yield* lines;
}
