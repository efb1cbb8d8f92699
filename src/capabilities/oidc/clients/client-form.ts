import { InvalidFields } from '../../../core/access/refusal.ts';
import { readNames } from '../../../core/users/scopes.ts';
import { printable } from '../../../ground/text/printable.ts';
import type { Field, Fields, Input } from '../../../web/action.ts';
import type { Request } from '../../../web/types.ts';
import { signatures } from '../keys/signing-keys.ts';
import { type Machine, machineScopes } from '../machines/machine.ts';
import {
  longestTrust,
  mostTrusts,
  parseTrust,
  splitTrusts,
  type Trust,
  TrustFault,
  textOfTrust,
} from '../machines/trust.ts';
import { readTable, textOfRow } from './claim-form.ts';
import { longestTable } from './claim-rules.ts';
import { longestKeys, readClientKeys, textOfKeys } from './client-keys.ts';
import { maxNameLength, maxSecretName } from './client-rules.ts';
import { longestDays } from './client-secrets.ts';
import { type ClientChanges, type ClientSettings, pkceSettings } from './clients.ts';

const addresses = { list: true, maxLength: 13_000, description: '' } as const satisfies Field;
const flag = { boolean: true, maxLength: 5, description: '' } as const satisfies Field;

export const fields = {
  name: { maxLength: maxNameLength, description: 'As users see it', examples: ['Wiki'] },
  redirect_uris: {
    ...addresses,
    description: 'Where users return to after signing in',
    examples: ['https://wiki.example.com/callback'],
  },
  post_logout_redirect_uris: {
    ...addresses,
    description: 'Where users may return to after logging out',
    examples: ['https://wiki.example.com/'],
  },
  backchannel_logout_uri: {
    description: 'Where the server tells the application that a session has ended',
    examples: ['https://wiki.example.com/logout'],
  },
  client_uri: {
    description:
      'The page that users open to begin: the home page links to it. Without it, the home page does not show the application',
    examples: ['https://wiki.example.com/'],
  },
  own: { ...flag, description: "Whether it is the operator's own: users are not asked for their consent" },
  device: { ...flag, description: 'Whether it may use the device flow (RFC 8628)' },
  second_factor: { ...flag, description: 'Whether every sign-in needs a second factor' },
  require_pushed_authorization_requests: {
    ...flag,
    description: 'Whether every sign-in needs a pushed request (RFC 9126)',
  },
  dpop_bound_access_tokens: {
    ...flag,
    description: 'Whether each of its tokens has to be bound to a key by a proof (DPoP, RFC 9449)',
  },
  groups: {
    list: true,
    maxLength: 6400,
    description: 'Groups whose members may use it. None: every user may',
    examples: ['staff'],
  },
  pkce: {
    maxLength: 10,
    description:
      '`nonce` (default): a request needs a challenge (PKCE), or a nonce. `required`: a challenge. `optional`: neither, which only a client with a secret and addresses at https may have. A public client always needs a challenge',
    examples: ['nonce'],
  },
  id_token_signed_response_alg: {
    maxLength: 10,
    description: 'How its ID tokens and logout tokens are signed: `RS256` (default) or `ES256`',
    examples: ['RS256'],
  },
  machine: {
    ...flag,
    description: 'Whether it is a program that acts as itself (`client_credentials`). It then signs no users in',
  },
  machine_scopes: {
    list: true,
    maxLength: 200,
    description: `What such a program may do here: ${machineScopes.map((scope) => `\`${scope}\``).join(', ')}`,
    examples: ['users:read users:write'],
  },
  within: {
    list: true,
    maxLength: 6400,
    description: 'The groups on whose members and clients it may do this',
    examples: ['staff'],
  },
  may: {
    ...addresses,
    description: 'Resources for which it may get tokens, each with scopes: `URI=SCOPE,SCOPE`',
    examples: ['https://files.example.com=files:read,files:write'],
  },
  claims: {
    list: true,
    maxLength: 2 * longestTable,
    description:
      'Claims that it gets in place of those of scopes, or besides: `CLAIM=SOURCE`, or `CLAIM@id_token,userinfo,access_token,introspection=SOURCE`. Sources: `address`, `handle`, `id`, `name`, `groups`, `groups:GROUP,GROUP=NAME`, `claim:NAME`, `constant:TEXT`',
    examples: ['roles=groups:editors=editor'],
  },
  trusts: {
    list: true,
    maxLength: mostTrusts * (longestTrust + 1),
    description:
      'Workloads of other issuers whose tokens prove it: `github:OWNER/REPO,repository_id=ID`, `gitlab:GROUP/PROJECT,project_id=ID`, `kubernetes:NAMESPACE/NAME,issuer=URL,uid=UID`, or `issuer=URL` with claims; then `once` if each token counts once, and at the end `jwks={…}` if the issuer does not publish its keys',
    examples: ['github:example/api,repository_id=42,ref=refs/heads/main'],
  },
  jwks: {
    json: true,
    maxLength: longestKeys,
    description:
      'Public keys (RFC 7517) whose private halves prove the client (`private_key_jwt`): RSA of 2048 to 4096 bits, P-256 or Ed25519, at most 10. With keys, no secret counts',
    examples: ['{"keys":[{"kty":"EC","crv":"P-256","kid":"2027","x":"…","y":"…"}]}'],
  },
  jwks_uri: {
    description: 'The address at which the client publishes such keys, in place of `jwks`',
    examples: ['https://wiki.example.com/jwks.json'],
  },
} as const satisfies Fields;

export const newFields = {
  ...fields,
  public: { ...flag, description: 'Whether it can keep no secret, such as an application in a browser or on a phone' },
} as const satisfies Fields;

const secretName = {
  required: true,
  maxLength: maxSecretName,
  examples: ['deployment'],
} as const satisfies Partial<Field>;

export const secretFields = {
  name: { ...secretName, description: 'Tells the secrets of the client apart' },
  expires_in_days: {
    number: true,
    maxLength: 3,
    description: `From 1 to ${longestDays}. Default: it does not expire`,
    examples: [90],
  },
} as const satisfies Fields;

export const secretNameFields = {
  name: { ...secretName, inLink: true, description: 'The name of the secret' },
} as const satisfies Fields;

/**
 * Reads the fields that the request sent. A browser leaves out unticked boxes and sends all other fields, so a list or box that a form
 * lacks is empty.
 */
export function readSettings(input: Input<typeof fields>, request: Pick<Request, 'format'>): ClientChanges {
  const isForm = request.format === 'html';
  const sent = Object.entries({
    name: input.name,
    redirectUris: readAddresses(input.redirect_uris, isForm),
    postLogoutRedirectUris: readAddresses(input.post_logout_redirect_uris, isForm),
    own: readFlag(input.own, isForm),
    device: readFlag(input.device, isForm),
    secondFactor: readFlag(input.second_factor, isForm),
    pushedRequests: readFlag(input.require_pushed_authorization_requests, isForm),
    boundTokens: readFlag(input.dpop_bound_access_tokens, isForm),
    groups: input.groups === undefined && !isForm ? undefined : readNames(input.groups),
    pkce: readChoice('pkce', pkceSettings, input),
    idTokenAlg: readChoice('id_token_signed_response_alg', signatures, input),
  });
  const backchannel = input.backchannel_logout_uri?.trim();
  const page = input.client_uri?.trim();
  const jwksUri = input.jwks_uri?.trim();
  const machine = readMachine(input, isForm);
  const claims = input.claims === undefined ? undefined : readTable(input.claims);
  const trusts = machine === false ? [] : readTrusts(input.trusts);
  return {
    ...Object.fromEntries(sent.filter(([, value]) => value !== undefined)),
    ...(backchannel !== undefined && { backchannelLogoutUri: backchannel || undefined }),
    ...(page !== undefined && { clientUri: page || undefined }),
    ...(machine !== undefined && { machine: machine || undefined }),
    ...(trusts !== undefined && { trusts }),
    ...(claims !== undefined && { claims }),
    ...(input.jwks !== undefined && { jwks: readClientKeys(input.jwks) }),
    ...(jwksUri !== undefined && { jwksUri: jwksUri || undefined }),
  };
}

/** Undefined if the request does not tell. False if the client is to act for users alone. */
function readMachine(
  { machine, machine_scopes, within, may }: Input<typeof fields>,
  isForm: boolean,
): Partial<Machine> | false | undefined {
  const isSent = (text: string | undefined) => isForm || text !== undefined;
  const isNamed = [machine_scopes, within, may].some((text) => text !== undefined);
  const isMachine = readFlag(machine, isForm) ?? (isNamed || undefined);
  return (
    isMachine && {
      ...(isSent(machine_scopes) && { scopes: readNames(machine_scopes) }),
      ...(isSent(within) && { within: readNames(within) }),
      ...(isSent(may) && { may: readMay(may) }),
    }
  );
}

/** Undefined if the request does not tell. @throws {InvalidFields} */
export function readTrusts(text: string | undefined): readonly Trust[] | undefined {
  try {
    return text === undefined ? undefined : splitTrusts(text).map(parseTrust);
  } catch (error) {
    if (!(error instanceof TrustFault)) throw error;
    const { entry, claims } = error.values;
    const values = { entry: printable(entry.slice(0, 255)), claims };
    throw new InvalidFields({ field: 'trusts', code: error.code, values });
  }
}

/** Returns the text that `readMay` reads. */
export const linesOfMay = (may: Machine['may'] = {}): string[] =>
  Object.entries(may).map(([uri, scopes]) => `${uri}=${scopes.join(',')}`);

/** @throws {InvalidFields} */
export function readMay(text = '', field: 'may' | 'exchange_for' = 'may'): Machine['may'] {
  const entries = text
    .split(/\s+/)
    .filter(Boolean)
    .map((entry) => {
      const [, uri, scopes] = /^([^=]+)=([^=]+)$/.exec(entry) ?? [];
      if (uri === undefined || scopes === undefined) throw new InvalidFields({ field, code: 'malformed' });
      return [uri, [...new Set(scopes.split(',').filter(Boolean))]] as const;
    });
  return Object.fromEntries(entries);
}

const readAddresses = (text: string | undefined, isForm: boolean) =>
  text?.split(/\s+/).filter(Boolean) ?? (isForm ? [] : undefined);

const readFlag = (value: string | undefined, isForm: boolean) =>
  value === undefined && !isForm ? undefined : value === 'true';

/** @throws {InvalidFields} */
function readChoice<Name extends keyof typeof fields, Choice extends string>(
  field: Name,
  choices: readonly Choice[],
  { [field]: value }: Input<typeof fields>,
): Choice | undefined {
  const known = choices.find((choice) => choice === value);
  if (value !== undefined && known === undefined) throw new InvalidFields({ field, code: 'malformed' });
  return known;
}

/** Returns the values of all fields for a client. */
export const newValuesOf = (client: ClientSettings, isPublic: boolean): Record<keyof typeof newFields, string> => ({
  ...valuesOf(client),
  public: String(isPublic),
});

/** Returns the values that the form shows for a client. */
export const valuesOf = ({ name, redirectUris, postLogoutRedirectUris, ...client }: ClientSettings) => ({
  name,
  redirect_uris: redirectUris.join('\n'),
  post_logout_redirect_uris: postLogoutRedirectUris.join('\n'),
  backchannel_logout_uri: client.backchannelLogoutUri ?? '',
  client_uri: client.clientUri ?? '',
  own: String(client.own),
  device: String(client.device),
  second_factor: String(client.secondFactor),
  require_pushed_authorization_requests: String(client.pushedRequests),
  dpop_bound_access_tokens: String(client.boundTokens),
  groups: client.groups.join(' '),
  pkce: client.pkce,
  id_token_signed_response_alg: client.idTokenAlg,
  machine: String(client.machine !== undefined),
  machine_scopes: client.machine?.scopes.join(' ') ?? '',
  within: client.machine?.within.join(' ') ?? '',
  may: linesOfMay(client.machine?.may).join('\n'),
  claims: client.claims.map(textOfRow).join('\n'),
  trusts: client.trusts.map(textOfTrust).join('\n'),
  jwks: textOfKeys(client.jwks),
  jwks_uri: client.jwksUri ?? '',
});
