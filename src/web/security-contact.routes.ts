import type { App } from './types.ts';

/** Milliseconds for which a copy of the file may be used. Less than a year, as RFC 9116 2.5.5 recommends. */
const validity = 180 * 24 * 60 * 60 * 1000;

/**
 * Tells finders of vulnerabilities whom to write to (RFC 9116). Not added to an app that has mounted Janua, because it may have its own.
 * @param contact an address of mail or a page, as a URL
 */
export function addSecurityContact(app: App, contact: string | undefined): void {
  if (contact === undefined) return;
  app.get('/.well-known/security.txt', { schema: { hide: true } }, async (_request, reply) =>
    reply
      .type('text/plain; charset=utf-8')
      .serializer(String)
      .send(`Contact: ${contact}\nExpires: ${new Date(Date.now() + validity).toISOString()}\n`),
  );
}
