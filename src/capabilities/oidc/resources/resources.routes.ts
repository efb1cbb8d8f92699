import { changeRefusals } from '../../../core/access/change-refusals.ts';
import { type Answer, InvalidFields, Refusal } from '../../../core/access/refusal.ts';
import type { Actor } from '../../../core/changes/administration.ts';
import { addAction } from '../../../web/action.ts';
import { tag } from '../../../web/admin-pages.ts';
import { detailAnswer, exampleId } from '../../../web/fields.ts';
import { addForm } from '../../../web/form.ts';
import { actorOf } from '../../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../../web/list.ts';
import { json, listOf, object, orNull, text } from '../../../web/openapi/responses.ts';
import type { App, FreshProof } from '../../../web/types.ts';
import type { ClientAdministration } from '../clients/client-administration.ts';
import { linesOfMay, readMay } from '../clients/client-form.ts';
import { describeResource } from '../clients/describe-client.ts';
import { signatures } from '../keys/signing-keys.ts';
import type { NewResource, Resources } from './resources.ts';
import { exchangeView, resourcesView, secretView } from './views.ts';

export interface ResourceRouteParts {
  readonly resources: Pick<Resources, 'find' | 'findPage'>;
  readonly administerClients: (actor: Actor) => ClientAdministration;
}

const noSuchResource: Answer = {
  name: 'no-such-resource',
  status: 404,
  detail: 'There is no resource with that address',
};

const page = '/admin/resources';
const freshProof: FreshProof = { page: ({ admin }) => admin.resources.title, showsList: true };
const config = { signedIn: true, scope: 'clients:write', freshProof } as const;
const uri = { maxLength: 255, description: 'Its address (RFC 8707)', examples: ['https://mcp.example.com'] } as const;
const exchangeFor = {
  list: true,
  maxLength: 6000,
  description: 'Other resources for which it may exchange its tokens (RFC 8693), each with scopes: `URI=SCOPE,SCOPE`',
  examples: ['https://notes.example.com=notes:read'],
} as const;
const formats: readonly string[] = ['opaque', 'jwt'] satisfies NewResource['tokenFormat'][];

const resourceSchema = object('A server that accepts access tokens', {
  uri: text('https://mcp.example.com'),
  scopes: listOf(text('files:read')),
  token_format: text('opaque', '`opaque` or `jwt`'),
  alg: orNull(text('RS256', 'How its tokens are signed. Null if they are opaque')),
  client_id: orNull(text(exampleId, 'By which it asks about its tokens. Null if it has no secret')),
  exchange_for: listOf(
    object('Another resource for which it may exchange its tokens', {
      uri: text('https://notes.example.com'),
      scopes: listOf(text('notes:read')),
    }),
  ),
});

/** Adds the page on which administrators add and remove servers that accept access tokens. */
export function addResources(app: App, parts: () => ResourceRouteParts): void {
  addForm(app, [page, '/api/admin/resources'], {
    summary: 'Resources',
    description: 'Adds a server that accepts access tokens (RFC 8707).',
    tag,
    config: { ...config, refusals: [unreadableList] },
    view: resourcesView,
    query: listQuery,
    fields: {
      uri,
      scopes: { list: true, maxLength: 4000, description: 'What a token for it may allow', examples: ['files:read'] },
      token_format: { maxLength: 10, description: '`opaque` (default) or `jwt` (RFC 9068)', examples: ['opaque'] },
      alg: {
        maxLength: 10,
        description: 'How signed tokens are signed: `RS256` (default) or `ES256`',
        examples: ['RS256'],
      },
    },
    shown: json(
      'The resources',
      object('The resources', { resources: listOf(resourceSchema), next_cursor: nextCursor }),
      { next_cursor: null },
    ),
    answer: json('The resource was added', resourceSchema),
    status: 201,
    browser: 'To the page with the resources',
    async show({ query }) {
      const { limit, after } = readList(query, { keyLength: 1 });
      const found = await parts().resources.findPage(limit + 1, after?.[0]);
      const { entries, next_cursor } = pageOf(found, limit, ({ uri }) => [uri]);
      return { resources: entries.map(describeResource), next_cursor, query };
    },
    async submit(request, reply, { uri = '', scopes = '', token_format = 'opaque', alg: sent }) {
      if (!formats.includes(token_format)) throw new InvalidFields({ field: 'token_format', code: 'malformed' });
      const alg = signatures.find((name) => name === sent);
      if (sent !== undefined && alg === undefined) throw new InvalidFields({ field: 'alg', code: 'malformed' });
      const resource = await parts()
        .administerClients(actorOf(request))
        .addResource({
          uri: uri.trim(),
          scopes: scopes.split(/\s+/).filter(Boolean),
          tokenFormat: token_format === 'jwt' ? 'jwt' : 'opaque',
          ...(alg && { alg }),
        });
      return reply.proceed(`${page}?state=added`, describeResource(resource));
    },
  });

  const findResource = async (uri: string | undefined) => {
    const resource = await parts().resources.find(uri ?? '');
    if (resource === undefined) throw new Refusal(noSuchResource);
    return resource;
  };

  addForm(app, [`${page}/secret`, '/api/admin/resources/secret'], {
    summary: 'Give a resource a new secret',
    description:
      'With it, a server asks about the tokens that were made for it (RFC 7662). The old one stops working at once. The new one is shown once.',
    tag,
    config: {
      ...config,
      freshProof: { page: ({ admin }) => admin.resources.secret },
      refusals: [noSuchResource, changeRefusals['change-refused']],
    },
    view: secretView,
    fields: { uri: { ...uri, inLink: true } },
    answer: json(
      'The new secret',
      object('The secret', {
        uri: text('https://mcp.example.com'),
        client_id: text(exampleId),
        client_secret: text('x'.repeat(43)),
      }),
    ),
    browser: 'The page with the secret',
    show: async (_request, { uri }) => describeResource(await findResource(uri)),
    async submit(request, _reply, { uri }) {
      const resource = await findResource(uri);
      const { clientId, secret } = await parts().administerClients(actorOf(request)).setResourceSecret(resource.uri);
      return { uri: resource.uri, client_id: clientId, client_secret: secret };
    },
  });

  addForm(app, [`${page}/exchange`, '/api/admin/resources/exchange'], {
    summary: 'Let a resource exchange its tokens',
    description:
      'The server may exchange an access token that it has received for one of these resources, to call it for the same user (RFC 8693). Replaces the former list.',
    tag,
    config: {
      ...config,
      freshProof: { page: ({ admin }) => admin.resources.exchange },
      refusals: [noSuchResource, changeRefusals['change-refused']],
    },
    view: exchangeView,
    fields: { uri: { ...uri, inLink: true }, exchange_for: exchangeFor },
    answer: json('The resource', resourceSchema),
    browser: 'To the page with the resources',
    async show(request, typed) {
      const resource = await findResource(typed.uri);
      const values = { exchange_for: linesOfMay(resource.exchanges).join('\n') };
      return { ...describeResource(resource), ...(request.method === 'GET' && { values }) };
    },
    async submit(request, reply, { uri, exchange_for }) {
      const resource = await findResource(uri);
      const exchanges = readMay(exchange_for, 'exchange_for');
      await parts().administerClients(actorOf(request)).changeResource(resource.uri, { exchanges });
      return reply.proceed(`${page}?state=changed`, describeResource({ ...resource, exchanges }));
    },
  });

  addAction(app, [`${page}/remove`, '/api/admin/resources/remove'], {
    method: 'POST',
    summary: 'Remove a resource',
    description: 'Clients get no more tokens for it.',
    tag,
    config: { ...config, openedAt: page, refusals: [noSuchResource] },
    fields: { uri: { ...uri, required: true } },
    answer: detailAnswer('Resource removed'),
    browser: 'To the page with the resources',
    async handle(request, reply, { uri }) {
      await findResource(uri);
      await parts().administerClients(actorOf(request)).removeResource(uri);
      return reply.proceed(`${page}?state=removed`, { detail: 'Resource removed' });
    },
  });
}
