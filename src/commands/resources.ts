import { readMay } from '../capabilities/oidc/clients/client-form.ts';
import { describeResource } from '../capabilities/oidc/clients/describe-client.ts';
import type { Signature } from '../capabilities/oidc/keys/signing-keys.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { jsonLine } from '../ground/text/printable.ts';
import { administer } from './administer.ts';
import { secretLines } from './clients.ts';
import { list } from './list.ts';

interface Typed {
  readonly scopes: string[];
  readonly jwt?: boolean;
  readonly alg?: Signature;
}

export const addResource = (uri: string, { scopes, jwt, alg }: Typed) =>
  administer('janua resources add', async ({ clientAdministration }) => {
    const tokenFormat = jwt || alg !== undefined ? 'jwt' : 'opaque';
    await clientAdministration.addResource({ uri, scopes, tokenFormat, ...(alg && { alg }) });
    return `Added ${uri}.`;
  });

export const listResources = ({ json }: { readonly json?: boolean }) =>
  administer('janua resources list', async ({ clientAdministration }) =>
    list((await clientAdministration.listResources()).map(describeResource), {
      json,
      none: 'There are no resources.',
      heading: ['RESOURCE', 'TOKENS', 'ASKS AS', 'SCOPES'],
      toRows: (resources) =>
        resources.map(({ uri, token_format, alg, client_id, scopes }) => [
          uri,
          [token_format, alg ?? ''].join(' ').trim(),
          client_id ?? '',
          scopes.join(' '),
        ]),
    }),
  );

interface Changed {
  readonly secret?: boolean;
  readonly exchangeFor?: readonly string[] | false;
  readonly json?: boolean;
}

export const setResource = (uri: string, { secret: wantsSecret, exchangeFor, json }: Changed) =>
  administer('janua resources set', async ({ clientAdministration }) => {
    if (!wantsSecret && exchangeFor === undefined)
      throw new ChangeRefused('Say what to change: --secret, --exchange-for or --no-exchange-for.');
    if (exchangeFor !== undefined) {
      const exchanges = readMay((exchangeFor || []).join(' '), 'exchange_for');
      await clientAdministration.changeResource(uri, { exchanges });
    }
    if (!wantsSecret) return `Changed ${uri}.`;
    const { clientId, secret } = await clientAdministration.setResourceSecret(uri);
    if (json) return jsonLine({ uri, client_id: clientId, client_secret: secret }).trimEnd();
    return [`client_id: ${clientId}`, ...secretLines(secret)].join('\n');
  });

export const removeResource = (uri: string) =>
  administer('janua resources remove', async ({ clientAdministration }) => {
    await clientAdministration.removeResource(uri);
    return 'The resource is removed.';
  });
