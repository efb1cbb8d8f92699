import type { AccessKind } from '../faults/store-watch.ts';

/** Only what changes something proves that something can be changed. */
export function accessOf(sql: string): AccessKind {
  return /^(?:insert|update|delete|commit|create|alter|drop)\b/i.test(sql) ? 'write' : 'read';
}
