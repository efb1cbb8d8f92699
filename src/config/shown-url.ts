/** A name or an address, or a folder with a socket in it as `%2Frun%2Fpostgresql`; and a port. */
const host = /^(?:[\w.-]+|\[[\da-f:.]+\]|(?:%2f[\w.-]+)+)(?::\d{1,5})?$/i;

const path = /^(?:\/[\w.~%+-]*){0,2}$/;

/**
 * A store's address without the account, and without what follows the database: both may hold a password. One that was not encoded
 * may hold any character, and where that leaves a doubt nothing but the scheme is shown. What reads as a whole address of another
 * server, as `postgres://user:1234/database`, is shown as that: it is where this would connect to.
 */
export function shownUrl(url: string): string {
  // A server's address behind it is none of a file.
  if (/^sqlite:.*:\/\//s.test(url)) return 'sqlite:…';
  if (url.startsWith('sqlite:')) return url.replace(/[?#].*$/s, '?…');
  const [, scheme = '', rest = ''] = /^([a-z+]+:\/\/)(.*)$/s.exec(url) ?? [];
  const [address = '', ...options] = rest.split(/[?#]/);
  const place = address.slice(address.lastIndexOf('@') + 1);
  const [, hosts = '', database = ''] = /^([^/]*)(.*)$/s.exec(place) ?? [];
  const isPlain = (hosts === '' || hosts.split(',').every((each) => host.test(each))) && path.test(database);
  return isPlain && !options.join('').includes('@') ? `${scheme}${place}` : `${scheme}…`;
}
