import type { AccessKind } from '../faults/store-watch.ts';

/** Only a statement that writes proves that the database can be written. */
export function accessOf(sql: string): AccessKind {
  return /^(?:insert|update|delete|commit|create|alter|drop)\b/i.test(sql) ? 'write' : 'read';
}
