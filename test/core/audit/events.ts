import { type AuditEvent, type Caller, type RecordedEvent, readEvent } from '../../../src/core/audit/event.ts';
import { createEventIds } from '../../../src/core/audit/event-id.ts';
import { events } from '../../../src/site.ts';

/** A caller with every field. */
export const caller = {
  requestId: 'ba5eba11-0000-4000-8000-000000000001',
  address: '203.0.113.7',
  userAgent: 'Mozilla/5.0',
  route: 'POST /auth/token',
  format: 'html',
  trace: {
    peer: '203.0.113.7',
    forwardedFor: undefined,
    addressFrom: 'connection',
    cookie: 'one',
    accessToken: 'none',
    browserCookie: 'sent',
    expectedOrigins: ['https://auth.example.com'],
    origin: 'https://auth.example.com',
    fetchSite: 'same-origin',
  },
} as const satisfies Caller;

const createId = createEventIds();

/** An event as the store keeps it. `time` is in milliseconds since 1970. */
export function recorded(time: number, event: Partial<AuditEvent> = {}): RecordedEvent {
  const usual = { kind: 'login-failed', reason: 'wrong-password', userId: 'user-1', caller };
  const read = readEvent({ ...usual, ...event }, events);
  if (read === undefined) throw new TypeError('the row is not a valid event');
  return { id: createId(time), at: new Date(time).toISOString(), ...read };
}

/** Converts through JSON, which treats an undefined field and a missing one alike. */
export const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
