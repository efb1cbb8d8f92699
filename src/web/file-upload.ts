import createError from '@fastify/error';
import { decodeText } from '../ground/text/decode-text.ts';
import type { App, Request } from './types.ts';

const BrokenForm = createError('JANUA_BROKEN_FORM', 'The form cannot be read', 400);

/** Largest form with files, in bytes. */
export const uploadLimit = 1024 * 1024;

/**
 * Lets the forms of an app's routes send text files. A file takes the place of the other fields of its name, unless none was chosen. Only
 * for routes of signed-in users: their guard runs before a body is read.
 */
export function acceptFiles(app: App): void {
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit: uploadLimit },
    async ({ headers }: Request, body: Buffer) => {
      const type = headers['content-type'] ?? '';
      const form = await new Response(body, { headers: { 'content-type': type } }).formData().catch(() => {
        throw new BrokenForm();
      });
      const names = [...new Set(form.keys())];
      return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await textOf(form.getAll(name))])));
    },
  );
}

/** As from other forms: a text, or a list if there are several. */
async function textOf(sent: readonly (string | File)[]): Promise<string | string[] | undefined> {
  const files = sent.filter((value) => typeof value !== 'string' && value.size > 0) as File[];
  const texts =
    files.length > 0
      ? await Promise.all(files.map(async (file) => decodeText(Buffer.from(await file.arrayBuffer()))))
      : sent.filter((value) => typeof value === 'string');
  return texts.length > 1 ? texts : texts[0];
}
