import { describeResource } from '../capabilities/oidc/clients/describe-client.ts';
import type { Signature } from '../capabilities/oidc/keys/signing-keys.ts';
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

/** Makes a new secret, which is all that this command can change. */
export const setResource = (uri: string, { json }: { readonly json?: boolean }) =>
  administer('janua resources set', async ({ clientAdministration }) => {
    const { clientId, secret } = await clientAdministration.setResourceSecret(uri);
    if (json) return jsonLine({ uri, client_id: clientId, client_secret: secret }).trimEnd();
    return [`client_id: ${clientId}`, ...secretLines(secret)].join('\n');
  });

export const removeResource = (uri: string) =>
  administer('janua resources remove', async ({ clientAdministration }) => {
    await clientAdministration.removeResource(uri);
    return 'The resource is removed.';
  });
