import { createHmac } from 'node:crypto';
import { isSame } from '../../core/sessions/credential.ts';

/** Seconds that a user has for a sign-in with another provider, and for the button that links it. */
export const flowSeconds = 600;

/**
 * Signs texts that a browser stores for this server. So a sign-in that is never finished leaves no row in a table. @param key 32 bytes or
 * more
 */
export function createSignedTexts(key: Buffer, now: () => number) {
  const digest = (...parts: string[]) =>
    createHmac('sha256', key)
      .update(JSON.stringify(['upstream', ...parts]))
      .digest('base64url');

  return {
    /** Derives a secret from a text with this server's key. */
    derive: (purpose: string, text: string): string => digest(purpose, text),

    seal(purpose: string, content: object): string {
      const sealed = { ...content, expiresAt: now() + flowSeconds * 1000 };
      const text = Buffer.from(JSON.stringify(sealed)).toString('base64url');
      return `${text}.${digest(purpose, text)}`;
    },

    /** Reads a signed text. Undefined if this server did not make it for this purpose, or it has expired. */
    open<Content>(purpose: string, sent: string): (Content & { readonly expiresAt: number }) | undefined {
      const [text = '', signature = ''] = sent.split('.');
      if (!isSame(signature, digest(purpose, text))) return undefined;
      const content = JSON.parse(Buffer.from(text, 'base64url').toString());
      return content.expiresAt > now() ? content : undefined;
    },
  };
}
