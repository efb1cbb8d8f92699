import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { canonicalDomain } from '../text/mail-address.ts';
import { isLoopbackHost } from './origin.ts';

type Kind = 'google' | 'microsoft' | 'github' | 'gitlab' | 'keycloak' | 'openid' | 'janua';

/** The name and the issuer of each kind of provider. If the issuer is missing here, the file must contain it. */
const kinds: Readonly<Record<Kind, { readonly name?: string; readonly issuer?: string }>> = {
  google: { name: 'Google', issuer: 'https://accounts.google.com' },
  microsoft: { name: 'Microsoft' },
  github: { name: 'GitHub', issuer: 'https://github.com' },
  gitlab: { name: 'GitLab', issuer: 'https://gitlab.com' },
  keycloak: { name: 'Keycloak' },
  openid: {},
  janua: { name: 'Janua' },
};

/** The kinds whose issuer the file may set. */
const withIssuer: readonly Kind[] = ['gitlab', 'keycloak', 'openid', 'janua'];

interface Entry {
  readonly id: string;
  readonly kind: Kind;
  readonly name?: string;
  readonly issuer?: string;
  readonly tenant?: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly clientSecretFile?: string;
  readonly scopes?: readonly string[];
  readonly trustedDomains?: readonly string[];
  readonly countsAsSecondFactor?: readonly string[];
}

const texts = { type: 'array', maxItems: 100, items: { type: 'string', minLength: 1, maxLength: 254 } };

const schema = {
  type: 'array',
  maxItems: 50,
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'kind', 'clientId'],
    properties: {
      id: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,31}$' },
      kind: { enum: Object.keys(kinds) },
      name: { type: 'string', minLength: 1, maxLength: 60 },
      issuer: { type: 'string', maxLength: 200 },
      tenant: {
        type: 'string',
        pattern: '^(common|organizations|consumers|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$',
      },
      clientId: { type: 'string', minLength: 1, maxLength: 255 },
      clientSecret: { type: 'string', minLength: 1, maxLength: 4096 },
      clientSecretFile: { type: 'string', minLength: 1, maxLength: 4096 },
      scopes: texts,
      trustedDomains: texts,
      countsAsSecondFactor: texts,
    },
  },
};

/**
 * Reads the providers with which users can sign in, in the order of the file. Without a path, the list is empty.
 * @throws {Misconfiguration} with every fault at once. No fault contains a value of the file, because the file contains secrets
 */
export function readUpstreams(path: string | undefined) {
  const { upstreams, faults } = read(path);
  if (faults.length > 0) throw new Misconfiguration(...faults);
  return upstreams;
}

export const findUpstreamFaults = (path: string | undefined): string[] => read(path).faults;

function read(path: string | undefined) {
  const failed = (...faults: string[]) => ({
    upstreams: [],
    faults: faults.map((fault) => `UPSTREAMS_FILE: ${fault}`),
  });
  if (path === undefined) return { upstreams: [], faults: [] };
  const text = readText(path);
  if (text === undefined) return failed('the file cannot be read.');
  const entries = parse(text);
  if (entries === undefined) return failed('the file is not JSON.');
  const ajv = new Ajv({ meta: false, validateSchema: false, allErrors: true });
  if (!ajv.validate<Entry[]>(schema, entries)) return failed(...new Set((ajv.errors ?? []).map(describeFault)));
  const faults: string[] = [];
  const upstreams = entries.map((entry, index) => {
    const { id, kind } = entry;
    const clientSecret = entry.clientSecret ?? readText(entry.clientSecretFile ?? '')?.trim();
    const own = faultsOf(entry, clientSecret);
    if (entries.findIndex((other) => other.id === id) !== index) own.push('id is there twice');
    faults.push(...own.map((fault) => `${describePlace(index)}, ${fault}.`));
    const { name, issuer: usual = '' } = kinds[kind];
    const issuer =
      kind === 'microsoft' ? `https://login.microsoftonline.com/${entry.tenant}/v2.0` : (entry.issuer ?? usual);
    return {
      id,
      kind,
      name: entry.name ?? name ?? (URL.canParse(issuer) ? new URL(issuer).host : ''),
      issuer,
      tenant: entry.tenant,
      clientId: entry.clientId,
      clientSecret: clientSecret ?? '',
      scopes: entry.scopes,
      trustedDomains: entry.trustedDomains?.map((domain) =>
        domain === '*' ? domain : (canonicalDomain(domain) ?? ''),
      ),
      countsAsSecondFactor: entry.countsAsSecondFactor ?? [],
    };
  });
  return faults.length > 0 ? failed(...faults) : { upstreams, faults };
}

function faultsOf({ kind, issuer, tenant, ...entry }: Entry, secret: string | undefined): string[] {
  const faults: string[] = [];
  const mayName = withIssuer.includes(kind);
  if (issuer !== undefined && !mayName) faults.push(`issuer does not belong to the kind ${kind}`);
  if (mayName && !isIssuer(issuer ?? kinds[kind].issuer ?? ''))
    faults.push('issuer must be an https address without query');
  if ((kind === 'microsoft') !== (tenant !== undefined))
    faults.push(kind === 'microsoft' ? 'tenant is missing' : `tenant does not belong to the kind ${kind}`);
  if ((entry.clientSecret === undefined) === (entry.clientSecretFile === undefined))
    faults.push('there must be either clientSecret or clientSecretFile');
  else if (!secret) faults.push('clientSecretFile cannot be read, or is empty');
  if (entry.trustedDomains?.some((domain) => domain !== '*' && canonicalDomain(domain) === undefined))
    faults.push('trustedDomains must be domains, such as example.com, or *');
  return faults;
}

/** Tells whether a text is an issuer: an https address. Plain http is allowed on this machine only. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash, username, password } = new URL(text);
  const isPrivate = protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname));
  return isPrivate && search + hash + username + password === '';
}

const describePlace = (index: number) => `provider ${index + 1}`;

/** Describes a fault by ajv's message, which contains no values of the file. */
function describeFault({ instancePath, message, params }: ErrorObject): string {
  const [, index = '', ...rest] = instancePath.split('/');
  const place = index === '' ? 'the list' : describePlace(Number(index));
  const field = rest.length === 0 ? '' : `, ${rest[0]}`;
  const names = [params.missingProperty, params.additionalProperty, params.allowedValues].flat().filter(Boolean);
  const allowed = names.length > 0 && !message?.includes(`'${names[0]}'`) ? ` (${names.join(', ')})` : '';
  return `${place}${field} ${message}${allowed}.`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Parses JSON. Undefined if the text is not JSON, because Node's own message would show a part of the file. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
