import { describeResource } from '../oidc/describe-client.ts';
import { administer } from './administer.ts';
import { list } from './list.ts';

export const addResource = (uri: string, { scopes, jwt }: { readonly scopes: string[]; readonly jwt?: boolean }) =>
  administer('janua resources add', async ({ clientAdministration }) => {
    await clientAdministration.addResource({ uri, scopes, tokenFormat: jwt ? 'jwt' : 'opaque' });
    return `Added ${uri}.`;
  });

export const listResources = ({ json }: { readonly json?: boolean }) =>
  administer('janua resources list', async ({ clientAdministration }) =>
    list((await clientAdministration.listResources()).map(describeResource), {
      json,
      none: 'There are no resources.',
      heading: ['RESOURCE', 'TOKENS', 'SCOPES'],
      toRows: (resources) => resources.map(({ uri, token_format, scopes }) => [uri, token_format, scopes.join(' ')]),
    }),
  );

export const removeResource = (uri: string) =>
  administer('janua resources remove', async ({ clientAdministration }) => {
    await clientAdministration.removeResource(uri);
    return 'The resource is removed.';
  });
