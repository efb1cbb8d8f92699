import type { RedisOptions } from 'ioredis';
import { Misconfiguration } from '../faults/misconfiguration.ts';

/** The address of Redis or Valkey: one server, the sentinels that name the master, or the first nodes of a cluster. */
export type RedisAddress =
  | { readonly kind: 'single'; readonly options: Omit<RedisOptions, 'replyMapping'> }
  | { readonly kind: 'cluster'; readonly nodes: Node[]; readonly options: Access };

interface Node {
  readonly host: string;
  readonly port: number;
}

type Access = Pick<RedisOptions, 'username' | 'password' | 'tls'>;

const shape =
  /^redis(?<tls>s?)(?:\+(?<kind>cluster|sentinel))?:\/\/(?:(?<account>[^@/]*)@)?(?<hosts>[^/?]+)(?<rest>\/[^?]*)?$/;

/**
 * Reads `redis://`, `redis+cluster://` and `redis+sentinel://`, each with `rediss` for TLS. Cluster and sentinel URLs take several hosts,
 * separated by commas. The path of a sentinel URL is the master's name.
 * @throws {Misconfiguration} for anything else
 */
export function parseRedisUrl(text: string): RedisAddress {
  const { tls, kind, account, hosts, rest = '' } = shape.exec(text)?.groups ?? {};
  if (hosts === undefined) throw wrongUrl();
  const nodes = hosts.split(',').map((host) => parseHost(host, kind === 'sentinel' ? 26379 : 6379));
  const [name = '', number = name] = rest.slice(1).split('/');
  const database = kind === 'sentinel' && number === name ? '' : number;
  if (!/^\d{0,5}$/.test(database) || (kind === 'sentinel') !== (name !== '' && rest !== `/${database}`))
    throw wrongUrl();
  if (kind === undefined && nodes.length > 1) throw wrongUrl();
  const access: Access = { ...parseAccount(account), ...(tls === 's' ? { tls: {} } : {}) };
  const db = database === '' ? 0 : Number(database);
  if (kind === 'cluster') {
    if (db !== 0) throw wrongUrl();
    return { kind, nodes, options: access };
  }
  const [node] = nodes;
  const where =
    kind === 'sentinel' ? { sentinels: nodes, name, ...(tls === 's' ? { enableTLSForSentinelMode: true } : {}) } : node;
  return { kind: 'single', options: { ...where, ...access, db } };
}

function parseAccount(account = ''): { username?: string; password?: string } {
  if (account === '') return {};
  try {
    const [username = '', ...password] = account.split(':').map(decodeURIComponent);
    if (password.length === 0) return { password: username };
    return { ...(username === '' ? {} : { username }), password: password.join(':') };
  } catch {
    throw wrongUrl();
  }
}

function parseHost(text: string, defaultPort: number): Node {
  const url = URL.parse(`tcp://${text}`);
  if (!url?.hostname) throw wrongUrl();
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? defaultPort : Number(url.port) };
}

function wrongUrl(): Misconfiguration {
  return new Misconfiguration(
    'REDIS_URL must be redis://USER:PASSWORD@HOST:PORT/NUMBER, redis+cluster://HOST:PORT,HOST:PORT or ' +
      'redis+sentinel://HOST:PORT,HOST:PORT/NAME, with rediss in place of redis for TLS.',
  );
}
