import { splitRows } from '../../capabilities/oidc/clients/claim-form.ts';
import { linesOfMay, newFields, newValuesOf } from '../../capabilities/oidc/clients/client-form.ts';
import {
  type Client,
  type ClientSettings,
  defaultSettings,
  type NewClient,
} from '../../capabilities/oidc/clients/clients.ts';
import { splitTrusts } from '../../capabilities/oidc/machines/trust.ts';
import type { NewResource } from '../../capabilities/oidc/resources/resources.ts';
import type { Claims } from '../../core/users/claim-rules.ts';
import type { StoredGroup } from '../../core/users/groups.ts';
import { readNames } from '../../core/users/scopes.ts';
import type { Field } from '../../web/action.ts';

/** An object as a file has it: the names and values of its keys. The functions of this file convert a stored object to its document. */
export type ObjectDocument = Readonly<Record<string, unknown>>;

export const groupDocument = ({
  description,
  scopes,
  secondFactor,
  claims,
}: Omit<StoredGroup, 'name'> & { readonly claims: Claims }): ObjectDocument => ({
  description,
  scopes,
  second_factor: secondFactor,
  claims,
});

/** The values of a new group, unless its file says otherwise. */
export const newGroup = { description: '', scopes: [], secondFactor: false, claims: {} };

/** Lists whose entries may have blanks, with the functions that split them. */
const splits: Readonly<Record<string, (text: string) => readonly string[]>> = {
  trusts: splitTrusts,
  claims: splitRows,
};

function toValue(name: string, { list, boolean, json }: Field, text: string): unknown {
  if (boolean) return text === 'true';
  if (json && text !== '') return JSON.parse(text);
  if (!list) return text;
  return splits[name]?.(text) ?? readNames(text.replaceAll('\n', ' '));
}

/** Has the fields of the API, so that a setting that is added there is here, too. */
function fieldsOf(client: ClientSettings, isPublic: boolean): ObjectDocument {
  const values = newValuesOf(client, isPublic);
  return Object.fromEntries(
    Object.entries<Field>(newFields).map(([name, field]) => [
      name,
      toValue(name, field, values[name as keyof typeof values]),
    ]),
  );
}

/** Has no entry for what the operator has granted. */
function grantOf({ machine, trusts }: Pick<ClientSettings, 'machine' | 'trusts'>): ObjectDocument {
  const trustsGrantedBy = [...new Set(trusts.flatMap(({ grantedBy }) => grantedBy ?? []))];
  return {
    ...(machine?.grantedBy !== undefined && { granted_by: machine.grantedBy }),
    ...(trustsGrantedBy.length > 0 && { trusts_granted_by: trustsGrantedBy }),
  };
}

/** A file names the file of a picture. Its hash tells whether the stored one differs. */
const pictureOf = ({ picture }: Pick<ClientSettings, 'picture'>): ObjectDocument =>
  picture === undefined ? {} : { picture_file: picture };

/** A program that an administrator has allowed to act differs from the one of a file, which the operator allows. */
export const clientDocument = (client: ClientSettings, isPublic: boolean): ObjectDocument => ({
  ...fieldsOf(client, isPublic),
  ...grantOf(client),
  ...pictureOf(client),
});

export const isPublicClient = ({ secrets }: Pick<Client, 'secrets'>): boolean => secrets === undefined;

export const newClientDocument = ({ isPublic }: Pick<NewClient, 'isPublic'>): ObjectDocument =>
  fieldsOf(defaultSettings, isPublic);

export const resourceDocument = ({
  scopes,
  tokenFormat,
  alg,
  exchanges,
}: Omit<NewResource, 'uri'>): ObjectDocument => ({
  scopes,
  token_format: tokenFormat,
  alg,
  exchange_for: linesOfMay(exchanges),
});

/** The values of a new resource, unless its file says otherwise. */
export const newResource = { scopes: [], tokenFormat: 'opaque', alg: 'RS256' } as const;
