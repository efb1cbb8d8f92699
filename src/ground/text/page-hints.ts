/**
 * The hints of an application about its user before the login: the address to fill in, and the languages of the pages, separated by spaces,
 * the preferred one first (OpenID Connect Core 3.1.2.1). They are query parameters of the page that shows the login.
 */
const hints = ['login_hint', 'ui_locales'] as const;

/** The longest hint that counts, in characters. This is the length of the longest mail address. */
const longest = 254;

export function pageWithHints(path: string, params: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams(
    hints.flatMap((name) => {
      const value = params[name];
      return typeof value === 'string' && value.length <= longest ? [[name, value]] : [];
    }),
  );
  return query.size === 0 ? path : `${path}?${query}`;
}

/** Finds a hint. @param path of a page with hints, or of a page whose `next` is such a page */
export function hintOf(path: string, name: (typeof hints)[number]): string | undefined {
  const query = new URLSearchParams(path.split('?', 2)[1]);
  const hint = query.get(name) ?? new URLSearchParams(query.get('next')?.split('?', 2)[1]).get(name) ?? '';
  return hint === '' || hint.length > longest ? undefined : hint;
}
