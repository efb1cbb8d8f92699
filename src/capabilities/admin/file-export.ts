import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { Access, SignedIn } from '../../core/access/access.ts';
import { createTurns } from '../../ground/faults/turns.ts';
import { byteOrderMark } from '../../ground/text/csv.ts';
import type { Action } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { refuseList } from '../../web/list.ts';
import { header } from '../../web/openapi/responses.ts';
import type { App, Request } from '../../web/types.ts';

const types = { csv: 'text/csv', jsonl: 'application/jsonl' } as const;

export type FileFormat = keyof typeof types;

interface FileExport {
  /** Name of the file without its extension. */
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly config: Action['config'];
  /** The fields of the query besides `format`. */
  readonly query?: Readonly<Record<string, object>>;
  /** Checks and records the export, and returns its lines. */
  open(request: Request, format: FileFormat): Promise<Lines>;
}

/**
 * Most exports that one administrator runs at once. All exports take turns at reading (see `runPart`), so more of them would slow down
 * those of other administrators.
 */
export const mostExports = 5;

/** Milliseconds between two checks whether the user may still have the rest of a file. */
const lookInterval = 5_000;

type Lines = AsyncIterable<string> | Iterable<string>;

/**
 * Checks access again during an export. A client may read slowly for hours, and its user may be disabled meanwhile.
 * @param mayGoOn called at most every five seconds
 * @param time milliseconds of any clock
 * @throws {Error} once access has ended. The connection then breaks off, so the client knows that the file is incomplete
 */
export async function* whileAllowed(
  lines: Lines,
  mayGoOn: () => Promise<boolean>,
  time = () => performance.now(),
): AsyncGenerator<string> {
  let looked = time();
  for await (const line of lines) {
    if (time() - looked >= lookInterval) {
      if (!(await mayGoOn())) throw new Error('the user may not have the rest of the file');
      looked = time();
    }
    yield line;
  }
}

/** Adds a page that answers with a file, which a browser saves. */
export function addExport(
  app: App,
  url: string,
  access: () => Pick<Access, 'findSignedIn'>,
  { name, summary, description, config, query, open }: FileExport,
): void {
  const exports = createTurns({ part: 'The export', atOnce: Number.POSITIVE_INFINITY, waiting: 0 });

  /** @throws {Unavailable} if the user has too many exports under way */
  async function begin({ user }: SignedIn, made: () => Promise<Readable>): Promise<Readable> {
    const begun = Promise.withResolvers<Readable>();
    const work = { places: [{ key: user.id, atOnce: mostExports }], parties: [user.id] };
    const whole = exports.take(work, async () => {
      const stream = await made();
      begun.resolve(stream);
      await once(stream, 'close');
    });
    whole.catch(begun.reject);
    return begun.promise;
  }

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
      const { scope = '' } = config;
      const mayGoOn = async () =>
        (await access().findSignedIn(request.presented, request))?.scopes.includes(scope) ?? false;
      reply
        .type(`${types[format]}; charset=utf-8`)
        .header('content-disposition', `attachment; filename="${name}.${format}"`);
      // A HEAD request exports nothing. Fastify would otherwise read the whole file, only to discard it.
      if (request.method === 'HEAD') return reply.send(Readable.from([]));
      const stream = await begin(signedInOf(request), async () => {
        const lines = whileAllowed(await open(request, format), mayGoOn);
        // A stream of bytes sends several lines in one packet. Reading stops when the client disconnects.
        return Readable.from(format === 'csv' ? withByteOrderMark(lines) : lines, { objectMode: false });
      });
      return reply.send(stream);
    },
  );
}

async function* withByteOrderMark(lines: Lines): AsyncGenerator<string> {
  yield byteOrderMark;
  yield* lines;
}
