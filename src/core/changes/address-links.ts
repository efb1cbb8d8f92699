import type { Outbox } from '../mail/outbox.ts';
import type { Tokens } from '../tokens/tokens.ts';

export type EndAddressLinks = (userId: string) => Promise<void>;

/**
 * Gives a function that ends the links to new addresses of a user, and their mails that wait. The thief of a session may have asked for
 * one, and it counts without a session. Called after sessions have ended in any way but a logout, so that none can ask again.
 */
export function createEndAddressLinks(tokens: Tokens, outbox: Outbox): EndAddressLinks {
  return async (userId) => {
    // The mail first: its sender looks for it again, once it has made the token.
    await outbox.removeAbout('confirm-email', userId);
    await tokens.endOf('confirm-email', userId);
  };
}
