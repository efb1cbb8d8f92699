/** Longest `next` that is followed, in characters; a longer one is dropped and login still works. */
const maxLength = 2048;

/** Stands for our own origin: only whether a path leaves it matters, not its name. */
const base = 'http://janua.invalid';

/**
 * Where to go after login: the path, query and fragment that `next` names on this very origin, parsed as browsers do;
 * undefined for anything else (ASVS 3.7.2, OWASP Unvalidated Redirects CS).
 */
export function safeNext(next: unknown): string | undefined {
  if (typeof next !== 'string' || next.length > maxLength || !next.startsWith('/') || !URL.canParse(next, base)) {
    return undefined;
  }
  const url = new URL(next, base);
  if (url.origin !== base || startsOddly(url.pathname)) return undefined;
  const path = url.pathname + url.search + url.hash;
  // Once more, since what is not ASCII has grown.
  return path.length > maxLength ? undefined : path;
}

/** Proxies may decode a path, each once more. */
const mostDecodings = 5;

/** Browsers and proxies resolve dot segments, and browsers drop these control characters first. */
const hasDotSegment = (path: string) => /[/\\]\.\.?[/\\;]/.test(path.replaceAll(/[\t\n\r]/g, ''));

/** A path that a proxy or browser could still read as `//host`, however often it decodes it. */
function startsOddly(path: string): boolean {
  let decoded = path;
  for (let round = 0; round <= mostDecodings; round += 1) {
    if (/^\/[/\\\0-\x20]/.test(decoded) || hasDotSegment(decoded)) return true;
    const before = decoded;
    decoded = before.replaceAll(/%([\da-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
    if (decoded === before) return false;
  }
  return true;
}
