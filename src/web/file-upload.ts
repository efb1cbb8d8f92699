import type { IncomingMessage } from 'node:http';
import { MIMEType } from 'node:util';
import createError from '@fastify/error';
import { decodeText } from '../ground/text/decode-text.ts';
import { readBody } from './hooks/read-body.ts';
import type { App, Request } from './types.ts';

const BrokenForm = createError('JANUA_BROKEN_FORM', 'The form cannot be read', 400);

/** Largest form with text files, in bytes. */
export const uploadLimit = 1024 * 1024;

/** Most parts of a form with files, each a field or a file. Parsing a form of many parts stops the process for seconds. */
export const mostParts = 10;

/** Longest `Content-Type` that is parsed, in characters. */
const longestType = 300;

/** Longest boundary, in characters (RFC 2046 5.1.1). */
const longestBoundary = 70;

interface FileOptions {
  /** Bytes of the largest form. Default: `uploadLimit`. */
  readonly limit?: number;
  /** Converts a file to the text of its field. Default: the file is a text. */
  readonly read?: (bytes: Buffer) => string;
  /** Returns fields that a file adds to the form, such as its name. */
  readonly describe?: (file: File) => Readonly<Record<string, string>>;
}

/**
 * Lets the forms of an app's routes send files. A file replaces text fields of the same name. Only for routes of signed-in users: their
 * guard runs before a body is read.
 * @param requireMaySend throws if the body of a request must not be read
 */
export function acceptFiles(
  app: App,
  { limit = uploadLimit, read = decodeText, describe = () => ({}) }: FileOptions,
  requireMaySend: (request: Request) => Promise<void>,
): void {
  app.addHook('preParsing', async (request) => {
    if (request.method === 'POST') await requireMaySend(request);
  });
  app.addContentTypeParser(
    'multipart/form-data',
    { bodyLimit: limit },
    async ({ headers }: Request, payload: IncomingMessage) => {
      const body = await readBody(payload, limit);
      const type = headers['content-type'] ?? '';
      if (!hasFewParts(body, boundaryOf(type))) throw new BrokenForm();
      const form = await new Response(body, { headers: { 'content-type': type } }).formData().catch(() => {
        throw new BrokenForm();
      });
      const sent = Map.groupBy(form, ([name]) => name);
      const file = Array.from(form, ([, value]) => value).find(isFile);
      const texts = await Promise.all(
        Array.from(sent, async ([name, entries]) => [
          name,
          await textOf(
            entries.map(([, value]) => value),
            read,
          ),
        ]),
      );
      return { ...Object.fromEntries(texts), ...(file && describe(file)) };
    },
  );
}

function boundaryOf(type: string): string | undefined {
  // Parsing a type with many blanks takes quadratic time.
  if (type.length > longestType) return undefined;
  try {
    return new MIMEType(type).params.get('boundary') ?? undefined;
  } catch {
    return undefined;
  }
}

/** Tells whether a form has at most `mostParts` parts, by its boundary lines. No part follows the last boundary. */
function hasFewParts(body: Buffer, boundary: string | undefined): boolean {
  if (boundary === undefined || boundary.length > longestBoundary) return false;
  const line = `--${boundary}`;
  let count = -1;
  for (let at = body.indexOf(line); at !== -1 && count <= mostParts; at = body.indexOf(line, at + line.length))
    count += 1;
  return count <= mostParts;
}

/** A form without a chosen file sends an empty one. */
const isFile = (value: string | File): value is File => typeof value !== 'string' && value.size > 0;

/** Returns the texts of a field as other forms do: one text, or a list if the field was sent several times. */
async function textOf(
  sent: readonly (string | File)[],
  read: (bytes: Buffer) => string,
): Promise<string | string[] | undefined> {
  const files = sent.filter(isFile);
  const texts =
    files.length > 0
      ? await Promise.all(files.map(async (file) => read(Buffer.from(await file.arrayBuffer()))))
      : sent.filter((value) => typeof value === 'string');
  return texts.length > 1 ? texts : texts[0];
}
