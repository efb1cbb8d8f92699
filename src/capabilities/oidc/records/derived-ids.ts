import { createHmac } from 'node:crypto';

/**
 * @param purpose such as `sid`. Another purpose gives another result
 * @param parts such as the ids of the session and the client
 */
export type Derive = (purpose: string, ...parts: readonly string[]) => string;

/**
 * Creates the function that derives ids and signatures from this server's key. The same parts give the same result, so Janua need not store
 * it.
 */
export const createDerive =
  (key: Buffer): Derive =>
  (purpose, ...parts) =>
    createHmac('sha256', key)
      .update(JSON.stringify([purpose, ...parts]))
      .digest('base64url');
