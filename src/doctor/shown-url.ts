/** A store's address without the account, and without what follows the database: both may hold a password. */
export function shownUrl(url: string): string {
  if (url.startsWith('sqlite:')) return url;
  return url.replace(/^([a-z+]+:\/\/)(?:.*@)?/s, '$1').replace(/[?#].*$/s, '');
}
