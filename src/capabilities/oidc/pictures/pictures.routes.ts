import { InvalidFields } from '../../../core/access/refusal.ts';
import type { Fields } from '../../../web/action.ts';
import { tag } from '../../../web/admin-pages.ts';
import { detailAnswer } from '../../../web/fields.ts';
import { acceptFiles } from '../../../web/file-upload.ts';
import { addForm } from '../../../web/form.ts';
import { acceptJson } from '../../../web/hooks/bodies.ts';
import type { App } from '../../../web/types.ts';
import {
  administrationOf,
  type ClientParts,
  clientParams,
  freshly,
  page,
  requireOwnRights,
} from '../clients/clients.routes.ts';
import { describeClient } from '../clients/describe-client.ts';
import type { OidcParts } from '../composition.ts';
import { readPicture, typeOfPicture } from './read-picture.ts';
import { picturePath } from './stored-pictures.ts';
import { pictureView } from './views.ts';

/** Bytes of the largest request. A picture that is somewhat too large gets an explanation in place of a 413. */
const uploadLimit = 512 * 1024;

const fields = {
  picture: {
    maxLength: Math.ceil(uploadLimit / 3) * 4,
    description:
      'PNG or WebP in base64, at most 512 × 512 pixels and 256 KB. A form sends the file itself. Empty: no picture any more',
    examples: ['iVBORw0KGgo='],
  },
} as const satisfies Fields;

/** Adds the pictures, and the page on which administrators choose the one of a client. */
export function addPictures(app: App, parts: () => Pick<OidcParts, 'findPicture'> & ReturnType<ClientParts>): void {
  addServing(app, parts);
  app.register(async (uploads: App) => {
    acceptJson(uploads, uploadLimit);
    acceptFiles(uploads, { limit: uploadLimit, read: (bytes) => bytes.toString('base64') }, async (request) => {
      await request.proveFresh(undefined);
      await requireOwnRights(parts, request);
    });
    addChoice(uploads, parts);
  });
}

/**
 * Serves the pictures to everyone, because the login page shows them. A response has the type that Janua found in the bytes, and a browser
 * that opens the address runs and loads nothing (ASVS 3.2.1).
 */
function addServing(app: App, parts: () => Pick<OidcParts, 'findPicture'>): void {
  app.get(`${picturePath}/:hash`, { schema: { hide: true } }, async (request, reply) => {
    const bytes = await parts().findPicture((request.params as { readonly hash: string }).hash);
    const type = bytes && typeOfPicture(bytes);
    if (type === undefined) return reply.callNotFound();
    reply.removeHeader('pragma');
    reply.headers({
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cache-control': 'public, max-age=31536000, immutable',
    });
    return reply.type(type).send(bytes);
  });
}

function addChoice(app: App, parts: ClientParts): void {
  addForm(app, [`${page}/:id/picture`, '/api/admin/clients/:id/picture'], {
    summary: 'Choose the picture of a client',
    description: 'Users see it beside the name. It replaces the one before.',
    tag,
    params: clientParams,
    config: freshly('picture'),
    view: pictureView,
    fields,
    answer: detailAnswer('Client changed'),
    browser: 'To the page of the client',
    show: async (request) => describeClient(await requireOwnRights(parts, request)),
    async submit(request, reply, { picture }) {
      const { id } = await requireOwnRights(parts, request);
      // A form without a chosen file sends no field, which must not remove the picture.
      if (picture === undefined) throw new InvalidFields({ field: 'picture', code: 'missing' });
      const chosen = picture === '' ? undefined : readPicture(Buffer.from(picture, 'base64'));
      await administrationOf(parts, request).changeClient(id, { picture: chosen });
      return reply.proceed(`${page}/${id}?state=changed`, { detail: 'Client changed' });
    },
  });
}
