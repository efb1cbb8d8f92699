/** Who may open a part of an application: users in one of the groups. */
export interface Rule {
  readonly origin: string;
  /** In lower case, without a slash at its end. Empty: the whole origin. */
  readonly path: string;
  readonly groups: readonly string[];
}

/** Finds the rule that a user does not meet. Undefined if they may open the address. @param uri path and query, if the proxy sends them */
export type FindBarrier = (origin: string, uri: string | undefined, groups: readonly string[]) => Rule | undefined;

/**
 * The rule with the longest path decides. An application may read a path in another way than Janua, such as one with `..` or `%2f`. If a path
 * could be read in two ways, or is not known, every rule of the origin must be met.
 */
export function createFindBarrier(rules: readonly Rule[]): FindBarrier {
  return (origin, uri, groups) => {
    const ofOrigin = rules.filter((rule) => rule.origin === origin);
    if (ofOrigin.length === 0) return undefined;
    const path = plainPath(uri);
    const isWithin = (rule: Rule) => path === rule.path || path?.startsWith(`${rule.path}/`);
    const longest = ofOrigin.filter(isWithin).sort((one, other) => other.path.length - one.path.length)[0];
    const deciding = path === undefined ? ofOrigin : [longest];
    return deciding.find((rule) => rule !== undefined && !rule.groups.some((group) => groups.includes(group)));
  };
}

/** Spellings that an application could resolve to another path. The files in `deploy/` refuse the same for public paths. */
const ambiguous =
  /\/\.{1,2}(?:\/|$)|\/\/|[\\;\s\p{Cc}]|%(?:2[35ef]|3[bf]|5c|[01]|7f|c[01]|[ef]0%8)|(?:\.|\+|%20)(?:\/|$)/iu;

/** The path in lower case, if every application reads it in the same way. */
function plainPath(uri: string | undefined): string | undefined {
  const [path = ''] = uri?.split(/[?#]/, 1) ?? [];
  if (!path.startsWith('/') || ambiguous.test(path)) return undefined;
  try {
    return decodeURIComponent(path).toLowerCase();
  } catch {
    return undefined;
  }
}
