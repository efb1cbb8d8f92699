import { InvalidFields } from '../../../core/access/refusal.ts';
import { type Fields, invalidFields } from '../../../web/action.ts';
import { tag } from '../../../web/admin-pages.ts';
import { exampleId } from '../../../web/fields.ts';
import { addForm } from '../../../web/form.ts';
import { signedInOf } from '../../../web/hooks/credentials.ts';
import { json, listOf, object, orNull, type Schema, text } from '../../../web/openapi/responses.ts';
import type { App, Request } from '../../../web/types.ts';
import { readTable, textOfRow } from './claim-form.ts';
import { longestTable } from './claim-rules.ts';
import { claimsView } from './claims-view.ts';
import {
  administrationOf,
  type ClientParts,
  claimRow,
  clientParams,
  freshly,
  requireOwnRights,
} from './clients.routes.ts';
import { previewClaims } from './preview-claims.ts';

const claimsFields = {
  claims: {
    json: true,
    maxLength: 2 * longestTable,
    description:
      'All claims, as a list of `{"claim": "roles", "source": "groups:editors=editor", "in": ["id_token", "userinfo"]}`. As a text: `CLAIM@PLACES=SOURCE`, one a line',
    examples: ['roles=groups:editors=editor'],
  },
  preview: {
    inLink: true,
    description: 'A user, by id or address, of whom the answer says what the client would learn',
    examples: [exampleId],
  },
  step: { maxLength: 7, description: '`preview` to save nothing', examples: ['preview'] },
} as const satisfies Fields;

const claimsOfPlace = (description: string): Schema => ({
  type: 'object',
  description,
  additionalProperties: true,
  examples: [{ roles: ['editor'] }],
});

const tableSchema = object('The claims', {
  claims: listOf(claimRow),
  preview: orNull(
    object('What the client would learn of the user, if it asks for the scopes profile, email and groups', {
      user_id: text(exampleId),
      username: text('ann@example.com'),
      may_use: { type: 'boolean', description: 'Whether the user may sign in to it' },
      places: object('The claims in each place', {
        id_token: claimsOfPlace('In the ID token'),
        userinfo: claimsOfPlace('At the userinfo endpoint'),
        access_token: claimsOfPlace('In a signed access token'),
        introspection: claimsOfPlace('In the response of introspection'),
      }),
      empty: listOf(
        object('A claim without a value', { claim: text('dept'), reason: text('no-custom-claim') }),
        'Claims that are left out, or are empty',
      ),
    }),
  ),
});

/** Adds the page with the claims of a client, which shows what the client would learn of a user before anything is saved. */
export function addClientClaims(app: App, parts: ClientParts): void {
  const previewOf = async (request: Request, table: Parameters<typeof previewClaims>[3], named = '') => {
    const client = await requireOwnRights(parts, request);
    const user = named.trim();
    return user === '' ? null : previewClaims(parts(), signedInOf(request), client, table, user);
  };

  addForm(app, ['/admin/clients/:id/claims', '/api/admin/clients/:id/claims'], {
    summary: 'Set the claims that a client gets',
    description: 'They replace those of scopes, or come besides. With `step=preview`, nothing is saved.',
    tag,
    params: clientParams,
    // A link to the page may name a user whom there is not.
    config: { ...freshly('setClaims'), refusals: [...freshly('setClaims').refusals, invalidFields] },
    view: claimsView,
    fields: claimsFields,
    shown: json('The claims', tableSchema),
    answer: json('The claims', tableSchema),
    browser: 'To the page of the client',
    async show(request, typed) {
      const client = await requireOwnRights(parts, request);
      const { claims } = client;
      const isForm = request.method === 'POST';
      return {
        ...{ client_id: client.id, name: client.name, claims },
        preview: isForm ? null : await previewOf(request, claims, typed.preview),
        values: { claims: claims.map(textOfRow).join('\n'), ...typed },
      };
    },
    async submit(request, reply, input) {
      const client = await requireOwnRights(parts, request);
      if (input.claims === undefined) throw new InvalidFields({ field: 'claims', code: 'missing' });
      const table = readTable(input.claims);
      const isPreview = input.step === 'preview';
      const administration = administrationOf(parts, request);
      if (isPreview) await administration.judgeClaims(client, table);
      else await administration.changeClient(client.id, { claims: table });
      if (!isPreview && request.format === 'html')
        return reply.proceed(`/admin/clients/${client.id}?state=changed`, {});
      const preview = await previewOf(request, table, input.preview);
      const { claims, preview: named } = input;
      return { client_id: client.id, name: client.name, claims: table, preview, values: { claims, preview: named } };
    },
  });
}
