import { Misconfiguration } from '../faults/misconfiguration.ts';
import { bareHost } from '../text/networks.ts';

export type RedisAddress = ReturnType<typeof parseRedisUrl>;

const shape =
  /^redis(?<tls>s?)(?:\+(?<kind>cluster|sentinel))?:\/\/(?:(?<account>[^@/]*)@)?(?<hosts>[^/?]+)(?<path>\/[^?]*)?$/;

const paths: Readonly<Record<string, RegExp>> = {
  single: /^\/?(?<number>\d{0,5})$/,
  cluster: /^\/?0{0,5}$/,
  sentinel: /^\/(?<name>[^/]+)(?:\/(?<number>\d{0,5}))?$/,
};

/**
 * Reads `redis://`, `redis+cluster://` and `redis+sentinel://`, each with `rediss` for TLS. URLs of clusters and sentinels take several
 * hosts, separated by commas. The path of a sentinel URL is the master's name.
 * @throws {Misconfiguration} for anything else
 */
export function parseRedisUrl(text: string) {
  const { tls, kind = 'single', account, hosts = '', path = '' } = shape.exec(text)?.groups ?? {};
  const named = paths[kind]?.exec(path);
  if (hosts === '' || !named) throw wrongUrl();
  const { name = '', number = '' } = named.groups ?? {};
  const nodes = hosts.split(',').map((host) => parseHost(host, kind === 'sentinel' ? 26379 : 6379));
  const access = { ...parseAccount(account), ...(tls === 's' && { tls: {} }) };
  if (kind === 'cluster') return { kind, nodes, options: access } as const;
  const options = { ...access, db: Number(number) };
  if (kind === 'sentinel') {
    const sentinels = { sentinels: nodes, name, ...(tls === 's' && { enableTLSForSentinelMode: true }) };
    return { kind: 'single', options: { ...sentinels, ...options } } as const;
  }
  const [node, ...otherNodes] = nodes;
  if (otherNodes.length > 0) throw wrongUrl();
  return { kind: 'single', options: { ...node, ...options } } as const;
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

function parseHost(text: string, defaultPort: number) {
  const url = URL.parse(`tcp://${text}`);
  if (!url?.hostname) throw wrongUrl();
  return { host: bareHost(url.hostname), port: url.port === '' ? defaultPort : Number(url.port) };
}

function wrongUrl(): Misconfiguration {
  return new Misconfiguration(
    'REDIS_URL must be redis://USER:PASSWORD@HOST:PORT/NUMBER, redis+cluster://HOST:PORT,HOST:PORT or ' +
      'redis+sentinel://HOST:PORT,HOST:PORT/NAME, with rediss in place of redis for TLS.',
  );
}
