import { readFileSync } from 'node:fs';
import { readTable } from '../capabilities/oidc/clients/claim-form.ts';
import { readMay, readTrusts } from '../capabilities/oidc/clients/client-form.ts';
import { readClientKeys } from '../capabilities/oidc/clients/client-keys.ts';
import {
  type ClientChanges,
  defaultSettings,
  isRandomId,
  type PkceSetting,
  withChanges,
} from '../capabilities/oidc/clients/clients.ts';
import { describeClient, isUnusable } from '../capabilities/oidc/clients/describe-client.ts';
import type { Signature } from '../capabilities/oidc/keys/signing-keys.ts';
import { type Picture, readPicture } from '../capabilities/oidc/pictures/read-picture.ts';
import type { Services } from '../compose.ts';
import { InvalidFields } from '../core/access/refusal.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { jsonLine, printable } from '../ground/text/printable.ts';
import { administer } from './administer.ts';
import { list } from './list.ts';

interface Json {
  readonly json?: boolean;
}

/** Settings as typed. Lists are replaced as a whole. An empty text stands for none. */
interface TypedSettings {
  readonly name?: string;
  readonly redirectUri?: readonly string[];
  readonly postLogoutRedirectUri?: readonly string[];
  readonly backchannelLogoutUri?: string;
  readonly uri?: string;
  readonly own?: boolean;
  readonly device?: boolean;
  readonly secondFactor?: boolean;
  readonly pushedRequests?: boolean;
  readonly dpop?: boolean;
  readonly group?: readonly string[];
  readonly pkce?: PkceSetting;
  readonly idTokenAlg?: Signature;
  /** Absent, unless the client is to be a program (`--machine`) or no longer one (`--no-machine`). */
  readonly machine?: boolean;
  readonly scope?: readonly string[];
  readonly within?: readonly string[];
  readonly may?: readonly string[];
  readonly trust?: readonly string[];
  readonly claim?: readonly string[];
  /** The path of a file with a key set. */
  readonly jwks?: string;
  readonly jwksUri?: string;
  /** A file. False: no picture any more. */
  readonly picture?: string | false;
}

export const addClient = ({ json, public: isPublic = false, ...typed }: TypedSettings & Json & { public?: boolean }) =>
  administer('janua clients add', async ({ clientAdministration }) => {
    const { client, secret } = await clientAdministration.addClient({
      ...withChanges(defaultSettings, read(typed)),
      isPublic,
    });
    if (json) return jsonLine({ ...describeClient(client), client_secret: secret ?? null }).trimEnd();
    return [`Added ${client.name}.`, `client_id: ${client.id}`, ...secretLines(secret)].join('\n');
  });

export const listClients = ({ json }: Json) =>
  administer('janua clients list', async ({ clientAdministration }) =>
    list((await clientAdministration.listClients()).map(describeClient), {
      json,
      none: 'There are no clients.',
      heading: ['CLIENT', 'NAME', 'MAY BE USED BY', 'REDIRECT ADDRESSES'],
      toRows: (clients) =>
        clients.map((client) => [client.client_id, client.name, usersOf(client), client.redirect_uris.join(' ')]),
    }),
  );

/** Names who may use a client, or that it is a program, which acts as itself. */
function usersOf(client: ReturnType<typeof describeClient>): string {
  const { machine, groups } = client;
  if (machine !== null)
    return ['a program', ...(machine.within.length > 0 ? ['within', ...machine.within] : [])].join(' ');
  return isUnusable(client) ? 'nobody' : groups.join(' ') || 'all users';
}

export const showClient = (client: string, { json }: Json) =>
  administer('janua clients show', async ({ clientAdministration }) => {
    const id = await idOf(client, clientAdministration);
    const shown = await clientAdministration.requireClient(id);
    const described = { ...describeClient(shown), void_grant: await clientAdministration.hasVoidGrant(shown) };
    if (json) return jsonLine(described).trimEnd();
    return Object.entries(described)
      .map(([name, value]) => `${name}: ${[value].flat().map(textOf).join(' ')}`.trimEnd())
      .join('\n');
  });

export const setClient = (client: string, typed: TypedSettings) =>
  administer('janua clients set', async ({ clientAdministration }) => {
    const id = await idOf(client, clientAdministration);
    const { name } = await clientAdministration.changeClient(id, read(typed));
    return `Changed ${name}.`;
  });

export const rotateSecret = (client: string, { json }: Json) =>
  administer('janua clients rotate-secret', async ({ clientAdministration }) => {
    const id = await idOf(client, clientAdministration);
    const secret = await clientAdministration.rotateSecret(id);
    if (json) return jsonLine({ client_id: id, client_secret: secret }).trimEnd();
    return secretLines(secret).join('\n');
  });

export const addSecret = (client: string, { json, name, expires }: Json & { name: string; expires?: number }) =>
  administer('janua clients secret add', async ({ clientAdministration }) => {
    const id = await idOf(client, clientAdministration);
    const secret = await clientAdministration.addSecret(id, { name, days: expires });
    if (json) return jsonLine({ client_id: id, name, client_secret: secret }).trimEnd();
    return secretLines(secret).join('\n');
  });

export const listSecrets = (client: string, { json }: Json) =>
  administer('janua clients secret list', async ({ clientAdministration }) => {
    const { secrets } = describeClient(
      await clientAdministration.requireClient(await idOf(client, clientAdministration)),
    );
    return list(secrets, {
      json,
      none: 'The client has no secret.',
      heading: ['SECRET', 'ADDED', 'EXPIRES', 'LAST USED'],
      toRows: (listed) =>
        listed.map(({ name, created_at, expires_at, last_used_at }) => [
          name,
          created_at ?? '',
          expires_at ?? 'never',
          last_used_at ?? 'never',
        ]),
    });
  });

export const removeSecret = (client: string, { name }: { readonly name: string }) =>
  administer('janua clients secret remove', async ({ clientAdministration }) => {
    await clientAdministration.removeSecret(await idOf(client, clientAdministration), name);
    return `The secret ${printable(name)} is removed.`;
  });

export const removeClient = (client: string) =>
  administer('janua clients remove', async ({ clientAdministration }) => {
    const { id, name } = await clientAdministration.requireClient(await idOf(client, clientAdministration));
    await clientAdministration.removeClient(id);
    return `${name} (${id}) is removed.`;
  });

/**
 * Finds a client by its id or its name. A text with the shape of a random id is taken for an id, because a client may be named like the id
 * of another one, which may be gone.
 */
async function idOf(typed: string, { listClients }: Services['clientAdministration']): Promise<string> {
  if (isRandomId(typed)) return typed;
  const all = await listClients();
  if (all.some(({ id }) => id === typed)) return typed;
  const [named, another] = all.filter(({ name }) => name === typed);
  if (another !== undefined)
    throw new ChangeRefused(`Two clients are called ${typed}. Name the id: ./bin/janua clients list.`);
  return named?.id ?? typed;
}

/** A secret is shown by its name. */
function textOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return 'name' in value ? value.name : JSON.stringify(value);
}

export const secretLines = (secret: string | undefined) =>
  secret === undefined ? [] : [`client_secret: ${secret}`, 'The secret is shown only now.'];

/** Replaces the file of `jwks=FILE` by the keys in it, which end the text. @throws {ChangeRefused} if the file cannot be read */
function withKeys(trust: string): string {
  const pieces = trust.split(',');
  const file = pieces.find((piece) => piece.startsWith('jwks=') && !piece.startsWith('jwks={'))?.slice('jwks='.length);
  if (file === undefined) return trust;
  return [...pieces.filter((piece) => !piece.startsWith('jwks=')), `jwks=${readKeySet(file)}`].join(',');
}

/** @throws {ChangeRefused} if the file is no JSON */
function readKeySet(file: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    throw new ChangeRefused(`The file ${file} cannot be read as a key set (JSON with "keys").`);
  }
}

/** @throws {ChangeRefused} if the file cannot be read */
function readPictureFile(file: string): Picture {
  try {
    return readPicture(readFileSync(file));
  } catch (error) {
    if (error instanceof InvalidFields) throw error;
    throw new ChangeRefused(`The file ${file} cannot be read. Name a PNG or WebP file that this account may read.`);
  }
}

/** Converts the settings that were typed, and no others. */
function read({ redirectUri, postLogoutRedirectUri, backchannelLogoutUri, uri, group, ...more }: TypedSettings) {
  const { machine, scope, within, may, trust, claim, jwks, jwksUri, dpop, picture, ...typed } = more;
  const isMachine = machine ?? ([scope, within, may].some(Boolean) || undefined);
  const settings: ClientChanges = {
    ...typed,
    ...(isMachine !== undefined && {
      machine: isMachine
        ? {
            ...(scope && { scopes: scope.filter(Boolean) }),
            ...(within && { within }),
            ...(may && { may: readMay(may.join(' ')) }),
          }
        : undefined,
    }),
    ...(claim && { claims: readTable(claim.join('\n')) }),
    ...(picture !== undefined && { picture: picture === false ? undefined : readPictureFile(picture) }),
    ...(trust && { trusts: readTrusts(trust.map(withKeys).join('\n')) ?? [] }),
    // What proves a program goes with it.
    ...(machine === false && { trusts: [] }),
    ...(dpop !== undefined && { boundTokens: dpop }),
    ...(jwks !== undefined && { jwks: jwks === '' ? [] : readClientKeys(readKeySet(jwks)) }),
    ...(jwksUri !== undefined && { jwksUri: jwksUri || undefined }),
    ...(redirectUri && { redirectUris: redirectUri.filter(Boolean) }),
    ...(postLogoutRedirectUri && { postLogoutRedirectUris: postLogoutRedirectUri.filter(Boolean) }),
    ...(backchannelLogoutUri !== undefined && { backchannelLogoutUri: backchannelLogoutUri || undefined }),
    ...(uri !== undefined && { clientUri: uri || undefined }),
    ...(group && { groups: group.filter(Boolean) }),
  };
  return settings;
}
