/** A host name, an address, or the folder of a socket such as `%2Frun%2Fpostgresql`, with an optional port. */
const host = /^(?:[\w.-]+|\[[\da-f:.]+\]|(?:%2f[\w.-]+)+)(?::\d{1,5})?$/i;

const path = /^(?:\/[\w.~%+-]*){0,2}$/;

/**
 * Returns a store's address without the account and without the part after the database, because both may contain a password. A password
 * that is not encoded may contain any character. In case of doubt only the scheme is shown. An address such as
 * `postgres://user:1234/database` is shown in full, because Janua would connect to host `user`, port 1234.
 */
export function shownUrl(url: string): string {
  // A server's address after `sqlite:` is not a path, and may contain a password.
  if (/^sqlite:.*:\/\//s.test(url)) return 'sqlite:…';
  if (url.startsWith('sqlite:')) return url.replace(/[?#].*$/s, '?…');
  const [, scheme = '', rest = ''] = /^([a-z+]+:\/\/)(.*)$/s.exec(url) ?? [];
  const [address = '', ...options] = rest.split(/[?#]/);
  const place = address.slice(address.lastIndexOf('@') + 1);
  const [, hosts = '', database = ''] = /^([^/]*)(.*)$/s.exec(place) ?? [];
  const isPlain = (hosts === '' || hosts.split(',').every((each) => host.test(each))) && path.test(database);
  return isPlain && !options.join('').includes('@') ? `${scheme}${place}` : `${scheme}…`;
}
