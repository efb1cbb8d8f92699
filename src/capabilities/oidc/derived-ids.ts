import { createHmac } from 'node:crypto';

/** @param parts such as the ids of the session and the client */
export type Derive = (purpose: string, ...parts: readonly string[]) => string;

/** What belongs to a session and a client always has the same id, so that it need not be stored. */
export const createDerive =
  (key: Buffer): Derive =>
  (purpose, ...parts) =>
    createHmac('sha256', key)
      .update(JSON.stringify([purpose, ...parts]))
      .digest('base64url');
