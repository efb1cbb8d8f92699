import { basic, type machines, wordsOfRules } from '../../core/users/scopes.ts';

/** Opens a part of an application to users in one of the groups. */
export interface Rule {
  readonly origin: string;
  /** In lower case, without a slash at its end. Empty: the whole origin. */
  readonly path: string;
  readonly groups: readonly string[];
}

/**
 * Finds a rule that the groups of a user do not meet. Undefined if the user may open the address.
 * @param uri path and query, if the proxy sends them
 */
export type FindBarrier = (origin: string, uri: string | undefined, groups: readonly string[]) => Rule | undefined;

/**
 * The matching rule with the longest path decides. A rule for `/admin` also applies to `/admin.json`, because many applications answer both
 * alike. If the path is unknown, or applications could read it in several ways, every rule of the origin must be met.
 */
export function createFindBarrier(rules: readonly Rule[]): FindBarrier {
  return (origin, uri, groups) => findDeciding(rules, origin, uri).find((rule) => !hasGroupOf(rule, groups));
}

/** Tells whether one of the user's groups is in the rule. A group that has the name of a word of rules does not count. */
const hasGroupOf = (rule: Rule, groups: readonly string[]): boolean =>
  rule.groups.some((group) => !wordsOfRules.includes(group) && groups.includes(group));

/** Returns the function that tells whether a user may make tokens for a host: a rule takes them there from a group of the user. */
export const createTakesTokens =
  (rules: readonly Rule[]) =>
  (origin: string, groups: readonly string[]): boolean =>
    rules.some((rule) => rule.origin === origin && rule.groups.includes(basic) && hasGroupOf(rule, groups));

/** Tells whether each rule that decides about the address has this word. Without a rule, none has. */
export const createSaysRule =
  (rules: readonly Rule[]) =>
  (word: typeof machines | typeof basic, origin: string, uri: string | undefined): boolean => {
    const deciding = findDeciding(rules, origin, uri);
    return deciding.length > 0 && deciding.every(({ groups }) => groups.includes(word));
  };

function findDeciding(rules: readonly Rule[], origin: string, uri: string | undefined): readonly Rule[] {
  const ofOrigin = rules.filter((rule) => rule.origin === origin);
  if (ofOrigin.length === 0) return [];
  const path = plainPath(uri);
  return path === undefined ? ofOrigin : [path, withoutAccents(path)].flatMap((one) => decide(ofOrigin, one));
}

function decide(rules: readonly Rule[], path: string): Rule[] {
  const isWithin = (rule: Rule) => path === rule.path || path.startsWith(`${rule.path}/`);
  const longest = rules
    .filter(isWithin)
    .sort((one, other) => other.path.length - one.path.length)
    .slice(0, 1);
  return [...longest, ...rules.filter((rule) => path.startsWith(`${rule.path}.`))];
}

/**
 * Matches a path and query that an application could resolve to a path outside its folder: by `..` in any spelling, by a blank or an
 * invisible letter between two dots, or by a character that ends the path or becomes a slash. Also matches paths that Windows and ASP.NET
 * resolve to another name. The files in `deploy/` contain the same pattern. So it uses only syntax that PCRE, RE2 and JavaScript share,
 * matches bytes, and contains only one backslash. It ignores case.
 */
export const ambiguousPath = [
  '^[^?]*(?://|[\\x5c;#]|[^!-~]',
  // A dot or blank at the end of a name, which some systems drop.
  '(?:[.+]|%20)(?:/|[?]|$)',
  // A name that consists of dots, and of blanks or bytes that are not ASCII.
  '/(?:[+]|%(?:20|[89a-f].))*[.](?:[.+]|%(?:20|[89a-f].))*(?:/|[?]|$)',
  // Windows: a folder named by its stream, such as `admin::$INDEX_ALLOCATION`.
  '(?::|%3a)(?:[$]|%24)',
  // ASP.NET: a session in the path, such as `/(S(x))/`, which ASP.NET drops.
  '/(?:[(]|%28)(?:[a-z]|%[46].|%[57][0-9a])(?:[(]|%28)',
  // Windows: a short name, such as `ADMINI~1`.
  '/(?:[^/.?%]|%[0-7].|%[c-f].(?:%[89ab].)+){1,6}(?:~|%7e)(?:[0-9]|%3[0-9])+(?:[.][^/.?]{1,9})?(?:/|[?]|$)',
  // Controls, `#%./;?\`, overlong UTF-8, letters that NFKC turns into one of these, and `%u002e` of IIS.
  '%(?:[01u]|2[35ef]|3[bf]|5c|7f|c[01]|cd%be|e0%[89]|e2%8(?:0%a[4-6]|1%8[7-9])|ef%b[89c]|f0%8))',
].join('|');

const ambiguousPathPattern = new RegExp(ambiguousPath, 'i');

/** Longest path in characters that is compared with `ambiguousPath`. The comparison takes quadratic time. */
const longestPath = 2048;

/** Characters that are displayed as nothing, or as a blank. */
const invisibleCharacters = /[\p{C}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Z}/u;

/** Decodes a path and converts it to lower case. Undefined if applications could read it in different ways. */
function plainPath(uri: string | undefined): string | undefined {
  const [encoded = ''] = uri?.split('?', 1) ?? [];
  if (!uri?.startsWith('/') || encoded.length > longestPath || ambiguousPathPattern.test(uri)) return undefined;
  try {
    const path = decodeURIComponent(encoded);
    const lower = path.toLowerCase();
    const isNormal = [path, lower].every((text) => text.normalize('NFKC') === text);
    return isNormal && !invisibleCharacters.test(path) ? lower : undefined;
  } catch {
    return undefined;
  }
}

/** The path as read by an application that ignores case and accents, as MySQL does: `ä` is `a`, and `ı` is `i`. */
const withoutAccents = (path: string) => path.normalize('NFKD').replaceAll(/\p{M}/gu, '').toUpperCase().toLowerCase();
