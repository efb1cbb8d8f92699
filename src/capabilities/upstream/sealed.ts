import { createHmac } from 'node:crypto';
import { isSame } from '../../core/sessions/credential.ts';

/** How long a user has for a sign-in with another provider, and for the button that links it, in seconds. */
export const flowSeconds = 600;

/**
 * Texts that only this server can make, which a browser keeps for it. So a sign-in that is begun and left fills no table.
 * @param key 32 bytes or more
 */
export function createSealed(key: Buffer, now: () => number) {
  const digest = (...parts: string[]) =>
    createHmac('sha256', key)
      .update(JSON.stringify(['upstream', ...parts]))
      .digest('base64url');

  return {
    /** A secret that belongs to a text, and that only this server knows. */
    derive: (purpose: string, text: string): string => digest(purpose, text),

    seal(purpose: string, content: object): string {
      const sealed = { ...content, expiresAt: now() + flowSeconds * 1000 };
      const text = Buffer.from(JSON.stringify(sealed)).toString('base64url');
      return `${text}.${digest(purpose, text)}`;
    },

    /** Undefined for a text that this server did not make for this purpose, or that has expired. */
    open<Content>(purpose: string, sent: string): (Content & { readonly expiresAt: number }) | undefined {
      const [text = '', signature = ''] = sent.split('.');
      if (!isSame(signature, digest(purpose, text))) return undefined;
      const content = JSON.parse(Buffer.from(text, 'base64url').toString());
      return content.expiresAt > now() ? content : undefined;
    },
  };
}
