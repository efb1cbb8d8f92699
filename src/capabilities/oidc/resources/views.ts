import type { Listed, Page } from '../../../web/page.ts';
import { view } from '../../../web/view.ts';
import type { describeResource } from '../clients/describe-client.ts';

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/resources/resources': ReturnType<typeof describeResources>;
    'capabilities/oidc/resources/resource-secret': ReturnType<typeof describeSecret>;
    'capabilities/oidc/resources/resource-exchange': ReturnType<typeof describeExchange>;
  }
}

type Resource = ReturnType<typeof describeResource>;

interface Resources extends Listed {
  readonly resources: readonly Resource[];
}

function describeResources({ resources, ...list }: Resources, { words, interpolate, values }: Page) {
  const { formats, asksAs, exchangesFor } = words.admin.resources;
  return {
    ...list,
    resources: resources.map(({ uri, scopes, token_format, alg, client_id, exchange_for }) => ({
      ...{ uri, alg },
      scopes: scopes.join(', '),
      format: formats[token_format],
      asksAs: client_id && interpolate(asksAs, { id: client_id }),
      exchanges: exchange_for.map((other) =>
        interpolate(exchangesFor, { uri: other.uri, scopes: other.scopes.join(', ') }),
      ),
      // Signed tokens need no secret, and cannot be exchanged.
      pages:
        token_format === 'opaque'
          ? [
              { name: words.admin.resources.secret, path: `/admin/resources/secret?uri=${encodeURIComponent(uri)}` },
              {
                name: words.admin.resources.exchange,
                path: `/admin/resources/exchange?uri=${encodeURIComponent(uri)}`,
              },
            ]
          : [],
    })),
    isJwt: values.token_format === 'jwt',
    algorithms: ['RS256', 'ES256'].map((name) => ({ name, isChosen: values.alg === name })),
  };
}

interface Secret extends Pick<Resource, 'uri' | 'client_id'> {
  readonly client_secret?: string;
}

function describeSecret({ uri, client_id, client_secret }: Secret, { words, interpolate, secretOf }: Page) {
  const { resources, clients } = words.admin;
  return {
    ...{ uri, client_id: client_id ?? '', client_secret: client_secret ?? '' },
    title: `${resources.secret}: ${uri}`,
    secret: client_secret && secretOf(client_secret, clients.id, client_id ?? undefined),
    lead: interpolate(client_id ? resources.secretAgain : resources.secretLead, { uri }),
  };
}

function describeExchange({ uri }: Pick<Resource, 'uri'>, { words, interpolate }: Page) {
  const { exchange, exchangeLead } = words.admin.resources;
  return { uri, title: `${exchange}: ${uri}`, lead: interpolate(exchangeLead, { uri }) };
}

export const exchangeView = view('capabilities/oidc/resources/resource-exchange', describeExchange);
export const resourcesView = view('capabilities/oidc/resources/resources', describeResources);
export const secretView = view('capabilities/oidc/resources/resource-secret', describeSecret);
