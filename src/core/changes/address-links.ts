import type { Outbox } from '../mail/outbox.ts';
import type { Tokens } from '../tokens/tokens.ts';

export type EndAddressLinks = (userId: string) => Promise<void>;

/**
 * Returns a function that ends the links to new addresses of a user, and the mails that are queued with such links. The thief of a session
 * may have requested a link, and the link is valid without a session. Called after sessions have ended in any way but a logout, so that no
 * ended session can request another link.
 */
export function createEndAddressLinks(tokens: Tokens, outbox: Outbox): EndAddressLinks {
  return async (userId) => {
    // The mail is removed first, because its sender creates the token, and then checks that the mail still exists.
    await outbox.removeAbout('confirm-email', userId);
    await tokens.endOf('confirm-email', userId);
  };
}
