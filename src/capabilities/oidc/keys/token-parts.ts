type Part = Readonly<Record<string, unknown>>;

/**
 * Reads the header and payload of a signed token (RFC 7515 7.1), and does not verify the signature. Each caller has verified the token
 * already, or verifies it next. A part is undefined if it is no JSON object.
 */
export function readToken(token: string): { readonly header: Part | undefined; readonly payload: Part | undefined } {
  const [head = '', body = ''] = token.split('.');
  return { header: readPart(head), payload: readPart(body) };
}

function readPart(part: string): Part | undefined {
  try {
    const read: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof read === 'object' && read !== null ? (read as Part) : undefined;
  } catch {
    return undefined;
  }
}
