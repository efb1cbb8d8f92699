import { insufficientUserAuthentication, type RequireFresh } from '../access/fresh-proof.ts';
import { type Answer, InvalidFields, Refusal } from '../access/refusal.ts';
import type { Actor } from '../changes/administration.ts';
import { addAction } from '../web/action.ts';
import { detailAnswer } from '../web/fields.ts';
import { addForm } from '../web/form.ts';
import { actorOf, signedInOf } from '../web/hooks/credentials.ts';
import { json, listOf, object, text } from '../web/openapi/responses.ts';
import type { App, Request } from '../web/types.ts';
import type { ClientAdministration } from './client-administration.ts';
import { tag } from './clients.routes.ts';
import { describeResource } from './describe-client.ts';
import type { Resource, Resources } from './resources.ts';

export interface ResourceRouteParts {
  readonly resources: Pick<Resources, 'find' | 'list'>;
  readonly administerClients: (actor: Actor) => ClientAdministration;
  readonly requireFresh: RequireFresh;
}

const noSuchResource: Answer = {
  name: 'no-such-resource',
  status: 404,
  detail: 'There is no resource with that address',
};

const page = '/admin/resources';
const config = { signedIn: true, scope: 'clients:write' } as const;
const uri = { maxLength: 255, description: 'Its address (RFC 8707)', examples: ['https://mcp.example.com'] } as const;
const formats: readonly string[] = ['opaque', 'jwt'] satisfies Resource['tokenFormat'][];

const resourceSchema = object('A server that accepts access tokens', {
  uri: text('https://mcp.example.com'),
  scopes: listOf(text('files:read')),
  token_format: text('opaque', '`opaque` or `jwt`'),
});

/** Adds the page with the servers that accept access tokens, on which they are added and removed. */
export function addResources(app: App, parts: () => ResourceRouteParts): void {
  async function requireFreshly(request: Request): Promise<ClientAdministration> {
    await parts().requireFresh(signedInOf(request), undefined, request);
    return parts().administerClients(actorOf(request));
  }

  addForm(app, [page, '/api/admin/resources'], {
    summary: 'Resources',
    description: 'Adds a server that accepts access tokens (RFC 8707).',
    tag,
    config: { ...config, refusals: [insufficientUserAuthentication] },
    view: 'oidc/resources',
    fields: {
      uri,
      scopes: { list: true, maxLength: 4000, description: 'What a token for it may allow', examples: ['files:read'] },
      token_format: { maxLength: 10, description: '`opaque` (default) or `jwt` (RFC 9068)', examples: ['opaque'] },
    },
    shown: json('The resources', object('The resources', { resources: listOf(resourceSchema) })),
    answer: json('The resource was added', resourceSchema),
    status: 201,
    browser: 'To the page with the resources',
    show: async () => ({ resources: (await parts().resources.list()).map(describeResource) }),
    async submit(request, reply, { uri = '', scopes = '', token_format = 'opaque' }) {
      if (!formats.includes(token_format)) throw new InvalidFields({ field: 'token_format', code: 'malformed' });
      const resource: Resource = {
        uri: uri.trim(),
        scopes: scopes.split(/\s+/).filter(Boolean),
        tokenFormat: token_format === 'jwt' ? 'jwt' : 'opaque',
      };
      const administration = await requireFreshly(request);
      await administration.addResource(resource);
      return reply.proceed(`${page}?state=added`, describeResource(resource));
    },
  });

  addAction(app, [`${page}/remove`, '/api/admin/resources/remove'], {
    method: 'POST',
    summary: 'Remove a resource',
    description: 'Clients get no more tokens for it.',
    tag,
    config: { ...config, openedAt: page, refusals: [noSuchResource, insufficientUserAuthentication] },
    fields: { uri: { ...uri, required: true } },
    answer: detailAnswer('Resource removed'),
    browser: 'To the page with the resources',
    async handle(request, reply, { uri }) {
      if ((await parts().resources.find(uri)) === undefined) throw new Refusal(noSuchResource);
      const administration = await requireFreshly(request);
      await administration.removeResource(uri);
      return reply.proceed(`${page}?state=removed`, { detail: 'Resource removed' });
    },
  });
}
