import { bodyField } from './body-field.ts';

/** The path and query of a request target. A target may also contain a scheme and a host (absolute-form, RFC 9112 3.2.2). */
export function originForm(target: string): string {
  return target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '');
}

export function rawPath(target: string): string {
  return originForm(target).split(/[?#]/, 1)[0] ?? '';
}

/** The decoded path of a request target, or the path as sent if it cannot be decoded. */
export function decodedPath(target: string): string {
  const path = rawPath(target);
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** Whether a request opens its address, so that a link can repeat it. */
export const isOpened = ({ method }: { readonly method: string }): boolean => method === 'GET' || method === 'HEAD';

/** Fields that a page needs in its address when it is opened again by GET, after the body of its form was lost. */
const keptFields = ['token', 'next', 'uri'];

/**
 * Adds those of `keptFields` that the client sent to a path that has none of them yet. No other field of the request gets into the address.
 */
export function withKept(path: string, sent: unknown, added: Readonly<Record<string, string>> = {}): string {
  const kept = new URLSearchParams(added);
  for (const name of keptFields) {
    const value = bodyField(sent, name);
    if (typeof value === 'string') kept.set(name, value);
  }
  return kept.size === 0 ? path : `${path}${path.includes('?') ? '&' : '?'}${kept}`;
}
