import { Misconfiguration } from '../faults/misconfiguration.ts';

export interface PostgresHosts {
  /** The address of each host, in the order of the setting. */
  readonly urls: readonly [string, ...string[]];
  /** Whether Janua only uses a host that accepts writes. */
  readonly mustWrite: boolean;
}

const wrongHosts =
  'DATABASE_URL: write several hosts as postgres://USER:PASSWORD@HOST1:PORT,HOST2:PORT/DATABASE; ' +
  'target_session_attrs is read-write, primary or any.';

/**
 * Reads an address with one or several hosts, as libpq does (PostgreSQL, 34.1.1.2 and 34.1.1.3). Of several hosts, Janua uses the one that
 * accepts writes, unless `target_session_attrs` says otherwise.
 * @throws {Misconfiguration} for an empty host, several hosts as query parameters, or any other value of `target_session_attrs`
 */
export function readPostgresHosts(url: string): PostgresHosts {
  const [, account = '', list = '', rest = ''] = /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/.exec(url) ?? [];
  const hosts = list.split(',');
  const [path = '', query = ''] = rest.split('?');
  const options = new URLSearchParams(query);
  const wanted = options.get('target_session_attrs') ?? (hosts.length > 1 ? 'read-write' : 'any');
  options.delete('target_session_attrs');
  const isListed = ['host', 'port'].some((name) => options.get(name)?.includes(','));
  if (isListed || !['read-write', 'primary', 'any'].includes(wanted) || (hosts.length > 1 && hosts.includes('')))
    throw new Misconfiguration(wrongHosts);
  const urlOf = (host: string) => `${account}${host}${path}${options.size > 0 ? `?${options}` : ''}`;
  const [first = '', ...others] = hosts;
  return { urls: [urlOf(first), ...others.map(urlOf)], mustWrite: wanted !== 'any' };
}
