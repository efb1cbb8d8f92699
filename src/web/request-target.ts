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
