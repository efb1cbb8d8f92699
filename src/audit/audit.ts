import { createHmac } from 'node:crypto';
import type { AuditEvent, Events, RecordedEvent } from './event.ts';
import { createEventIds } from './event-id.ts';
import { createFloodBound } from './flood-bound.ts';
import { createGroupCommit } from './group-commit.ts';
import { readEvent } from './read-event.ts';
import type { AuditStore } from './store.ts';

/** The audit's own kind: what it did not keep. */
export const events = {
  'events-left-out': {
    vocabulary: 'excess_rate_limit_exceeded',
    by: 'operator',
    level: 'warn',
    words: 'More events of one kind came than are kept; they were only counted',
    advise: () => ['The log of the server or of the proxy before it shows who sent them; block them there.'],
  },
} as const satisfies Events;

/** Keeps what was decided. */
export interface Audit<Kind extends string = string> {
  /**
   * Resolves when the event is kept: what was acknowledged after it survives a crash. Resolves at once for one that is left out,
   * where clients bring about too many. The event's line in the log is written before, and also when it cannot be kept.
   * @throws {Unavailable} when it cannot be kept
   */
  readonly record: (event: AuditEvent<Kind>) => Promise<void>;
  /** A digest that tells whether two names are the same and gives neither away: 132 bits, base64url. */
  digestName(canonicalName: string): string;
}

export interface OpenAudit<Kind extends string = string> extends Audit<Kind> {
  /** Records what was left out so far, and waits for what is on its way. Never fails: the log has it all. */
  close(): Promise<void>;
}

export interface AuditOptions<Described extends Events> {
  /** Every kind there is. */
  readonly events: Described;
  readonly store: AuditStore;
  readonly log: Record<'info' | 'warn', (details: object, message: string) => void>;
  /** Of digests of names, 32 bytes: without it, who has the table could try out names (ASVS 14.2.4). */
  readonly nameKey: Buffer;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Processes that share what clients may make the audit keep. */
  readonly processes?: number;
}

/** Keeps each decision in the store, and as a line in the log (ASVS 16.2.1 to 16.3.4). */
export function createAudit<Described extends Events>(
  options: AuditOptions<Described>,
): OpenAudit<Extract<keyof Described, string>> {
  const { store, log, nameKey, now = Date.now, processes = 1 } = options;
  const events: Events = options.events;
  const createId = createEventIds();
  const commits = createGroupCommit<RecordedEvent>((recorded) => store.insert(recorded));
  const floodBound = createFloodBound({
    events,
    now,
    processes,
    onLeftOut(kind, count) {
      const event = { kind: 'events-left-out', caller: { route: 'audit' }, reason: kind, count } as const;
      // Where it cannot be kept, there is its line in the log.
      keep(event).catch(() => {});
    },
  });

  async function keep(event: AuditEvent): Promise<void> {
    const time = now();
    const read = readEvent(event, events);
    if (read === undefined) throw new TypeError('this is no event');
    const recorded = { id: createId(time), at: new Date(time).toISOString(), ...read };
    writeLine(recorded);
    await commits.add(recorded);
  }

  /** With `reqId`, under which the other lines of a request are found. */
  function writeLine({ kind, at: _, ...details }: RecordedEvent): void {
    const { vocabulary = '', level = 'info' } = events[kind] ?? {};
    const { requestId } = details.caller;
    log[level]({ event: kind, vocabulary, reqId: requestId, ...details }, kind.replaceAll('-', ' '));
  }

  return {
    async record(event) {
      if (floodBound.admits(event)) await keep(event);
    },
    digestName: (name) => createHmac('sha256', nameKey).update(name).digest('base64url').slice(0, 22),
    async close() {
      floodBound.close();
      await commits.settle();
    },
  };
}
