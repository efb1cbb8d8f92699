import { createHmac } from 'node:crypto';

/** @param parts such as the ids of the session and the client */
export type Derive = (purpose: string, ...parts: readonly string[]) => string;

/** Derives ids from the ids of a session and a client. The result is always the same, so Janua need not store it. */
export const createDerive =
  (key: Buffer): Derive =>
  (purpose, ...parts) =>
    createHmac('sha256', key)
      .update(JSON.stringify([purpose, ...parts]))
      .digest('base64url');
