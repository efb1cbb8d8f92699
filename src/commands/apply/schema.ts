import { newFields } from '../../capabilities/oidc/clients/client-form.ts';
import { claimLimits } from '../../core/users/claim-rules.ts';
import { maxHandleLength } from '../../core/users/handles.ts';
import { maxNameLength, maxUsernameLength } from '../../core/users/user.ts';
import type { Field } from '../../web/action.ts';

/** Most users in one file. All of them are added in one transaction, and `janua users import` adds any number. */
export const mostUsers = 1000;

const text = (description: string, rest: object = {}) => ({ type: 'string', description, ...rest });
const flag = (description: string) => ({ type: 'boolean', description });
const texts = (description: string, maxLength = 255) => ({
  type: 'array',
  description,
  items: { type: 'string', maxLength },
});

const entries = (description: string, maxItems: number, required: string[], properties: object) => ({
  type: 'array',
  description,
  maxItems,
  items: { type: 'object', additionalProperties: false, required, properties },
});

/** Returns the schema of a field that the API has too. */
function propertyOf({ description, list, boolean, json, maxLength = 254 }: Field): object {
  if (boolean) return flag(description);
  if (json) return { type: ['object', 'string'], description, maxLength };
  // The API has a limit for all texts of a list together.
  return list ? { ...texts(description, maxLength), maxItems: 50 } : text(description, { maxLength });
}

const claims = (description: string) => ({
  type: 'object',
  description,
  maxProperties: claimLimits.most,
  additionalProperties: true,
});

/** The schema of a file of `janua apply`, which `npm run reference` publishes. */
export const schema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'A file of `janua apply`',
  description: 'A key of an object that is left out stays as it is. A new object gets the default.',
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: text(
      'The name of the file. The audit has it, and `prune` removes only objects that a file of this name added',
      {
        pattern: '^[a-z0-9][a-z0-9-]{0,39}$',
      },
    ),
    prune: flag('Whether to remove clients, resources and groups that a file of this name added, and has no longer'),
    groups: entries('Groups of users', 500, ['name'], {
      name: text('Small letters, digits and hyphens', { maxLength: 63 }),
      description: text('What the group is for', { maxLength: 200 }),
      scopes: texts('All scopes that the group grants'),
      second_factor: flag('Whether its users need a second factor to sign in'),
      claims: claims('All custom claims of its users, by their names'),
    }),
    clients: entries('Applications that sign their users in here, and programs', 1000, ['client_id'], {
      client_id: text('By which the client is known', { pattern: '^\\w[\\w.-]{1,127}$' }),
      ...Object.fromEntries(Object.entries<Field>(newFields).map(([name, field]) => [name, propertyOf(field)])),
      secret_file: text(
        'A file with the secret of the client, seen from the folder of this file. Without it, a new client gets a new secret',
        { minLength: 1, maxLength: 4096 },
      ),
      picture_file: text(
        'A file with the picture of the client, PNG or WebP, seen from the folder of this file. Empty: no picture',
        { maxLength: 4096 },
      ),
    }),
    resources: entries('Servers that accept access tokens', 200, ['uri', 'scopes'], {
      uri: text('Its address', { maxLength: 255 }),
      scopes: texts('All scopes that a token for it may have'),
      token_format: { enum: ['opaque', 'jwt'], description: 'How its tokens are: `opaque` (default) or signed' },
      alg: { enum: ['RS256', 'ES256'], description: 'How they are signed. Default: `RS256`' },
      exchange_for: texts('Other resources for which it may exchange its tokens: `URI=SCOPE,SCOPE`'),
    }),
    users: entries('Users. None is ever removed, nor taken out of a group', mostUsers, ['username'], {
      username: text('The e-mail address', { maxLength: maxUsernameLength }),
      first_name: text('Needed for a new user', { maxLength: maxNameLength }),
      last_name: text('Needed for a new user', { maxLength: maxNameLength }),
      handle: text('A second name with which the user signs in', { maxLength: maxHandleLength }),
      groups: texts('Groups that the user is added to'),
      claims: claims('All custom claims of the user, by their names'),
      sub: text('The id by which applications know the user, for users from another server. Default: a random one', {
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,35}$',
      }),
    }),
  },
};

export interface GroupEntry {
  readonly name: string;
  readonly description?: string;
  readonly scopes?: readonly string[];
  readonly second_factor?: boolean;
  readonly claims?: Readonly<Record<string, unknown>>;
}

export type ClientEntry = {
  readonly client_id: string;
  readonly secret_file?: string;
  readonly picture_file?: string;
} & { readonly [Name in keyof typeof newFields]?: unknown };

export interface ResourceEntry {
  readonly uri: string;
  readonly scopes: readonly string[];
  readonly token_format?: 'opaque' | 'jwt';
  readonly alg?: 'RS256' | 'ES256';
  readonly exchange_for?: readonly string[];
}

export interface UserEntry {
  readonly username: string;
  readonly first_name?: string;
  readonly last_name?: string;
  readonly handle?: string;
  readonly groups?: readonly string[];
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly sub?: string;
}

/** A file as written, which fits the schema. */
export interface Written {
  readonly name: string;
  readonly prune?: boolean;
  readonly groups?: readonly GroupEntry[];
  readonly clients?: readonly ClientEntry[];
  readonly resources?: readonly ResourceEntry[];
  readonly users?: readonly UserEntry[];
}
