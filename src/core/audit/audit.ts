import { createHmac } from 'node:crypto';
import type { Database } from '../../ground/database/database.ts';
import { onCommit } from '../../ground/database/transaction.ts';
import type { Log } from '../../ground/faults/log.ts';
import { type AuditEvent, type ChangeKindOf, type Events, type RecordedEvent, readEvent } from './event.ts';
import { createEventIds } from './event-id.ts';
import { createFloodBound } from './flood-bound.ts';
import { createGroupCommit } from './group-commit.ts';
import type { AuditStore } from './sql-store.ts';

export const events = {
  'events-left-out': {
    vocabulary: 'excess_rate_limit_exceeded',
    by: 'operator',
    level: 'warn',
    words: 'More events of one kind occurred than Janua keeps; the rest were only counted',
    advise: () => [
      'The log of the server, or of the proxy in front of it, shows which clients sent them. Block these clients.',
    ],
  },
} as const satisfies Events;

/** An audit that accepts these events only. Events of lasting changes need `recordIn`. */
export type AuditOf<Described extends Events> = Audit<
  Exclude<keyof Described & string, ChangeKindOf<Described>>,
  ChangeKindOf<Described>
>;

export interface Audit<Kind extends string = string, ChangeKind extends string = string> {
  /**
   * Resolves when the event is stored, and from then on the event survives a crash. If the event is left out, because clients cause too
   * many, it resolves at once. The log line of an event is written first, even if the event cannot be stored.
   * @throws {Unavailable} when the event cannot be stored
   */
  readonly record: (event: AuditEvent<Kind>) => Promise<void>;
  /** Records a decision that stands even if the event cannot be stored. Its log line is written anyway. Never fails. */
  readonly recordIfPossible: (event: AuditEvent<Kind>) => Promise<void>;
  /**
   * Refuses a change, or another act of an administrator, if its event would exceed the limit. Called before the work, because a refusal in
   * the transaction (`recordIn`) wastes the work.
   * @throws {ChangeRefused} `too-many-changes`
   */
  readonly requireAllowance: (event: AuditEvent<Kind | ChangeKind>) => void;
  /**
   * Records a change in its transaction: no change is acknowledged without its event, and no event tells of a change that was rolled back.
   * The log line and the metrics follow the commit, because a transaction may be tried several times.
   * @param isChange false for a decision in the transaction of another change. Beyond the limits, such a decision is counted and not stored
   * @throws {ChangeRefused} `too-many-changes`; {TypeError} outside a transaction
   */
  readonly recordIn: (db: Database, event: AuditEvent<Kind | ChangeKind>, isChange?: boolean) => Promise<void>;
  /** Returns a digest by which names can be compared but not read: 132 bits, base64url. */
  digestName(canonicalName: string): string;
}

export interface AuditOptions<Described extends Events> {
  readonly events: Described;
  readonly store: AuditStore;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** The key for digests of names, 32 bytes. Without the key, an attacker with a copy of the table could try out names (ASVS 14.2.4). */
  readonly nameKey: Buffer;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly processes?: number;
  /** Makes the error for a change whose event would exceed the limit. */
  readonly tooManyChanges: () => Error;
  /** Called after each event. @param isRecorded false if it could not be stored */
  readonly onEvent?: ((event: AuditEvent, isRecorded: boolean) => void) | undefined;
  /** Called when events were left out, or one could not be stored. */
  readonly onLost?: (() => void) | undefined;
}

export function createAudit<Described extends Events>(options: AuditOptions<Described>) {
  const { store, log, nameKey, now = Date.now, processes = 1, onEvent, onLost = () => {} } = options;
  const events: Events = options.events;
  const createId = createEventIds();
  const commits = createGroupCommit((recorded) => store.insert(recorded));
  const floodBound = createFloodBound(events, now, processes, (kind, count) => {
    const event = { kind: 'events-left-out', caller: { route: 'audit' }, reason: kind, count } as const;
    onLost();
    // If the event cannot be stored, its log line remains.
    keep(event).catch(() => {});
  });

  function toRecorded(event: AuditEvent): RecordedEvent {
    const time = now();
    const read = readEvent(event, events);
    if (read === undefined) throw new TypeError('this is no event');
    return { id: createId(time), at: new Date(time).toISOString(), ...read };
  }

  async function keep(event: AuditEvent): Promise<void> {
    const recorded = toRecorded(event);
    writeLine(recorded);
    await commits.add(recorded);
  }

  /** All log lines of a request share the field `reqId`. */
  function writeLine({ kind, at: _, ...details }: RecordedEvent): void {
    const { vocabulary = '', level = 'info' } = events[kind] ?? {};
    const { requestId } = details.caller;
    log[level]({ event: kind, vocabulary, reqId: requestId, ...details }, kind.replaceAll('-', ' '));
  }

  function refuseChange({ kind }: AuditEvent): void {
    if (events[kind]?.isChange) throw new TypeError(`${kind} belongs in the transaction of its change`);
  }

  async function record(event: AuditEvent): Promise<void> {
    refuseChange(event);
    let isRecorded = false;
    try {
      if (event.actorId !== undefined) floodBound.count(event);
      if (floodBound.admits(event)) await keep(event);
      isRecorded = true;
    } finally {
      if (!isRecorded) onLost();
      onEvent?.(event, isRecorded);
    }
  }

  function requireAllowance(event: AuditEvent): void {
    if (!floodBound.allows(event)) throw options.tooManyChanges();
  }

  async function recordIn(db: Database, event: AuditEvent, isChange = true): Promise<void> {
    if (isChange) requireAllowance(event);
    const isAlwaysKept = isChange && floodBound.isRefusable(event);
    const recorded = isAlwaysKept || floodBound.admits(event, false) ? toRecorded(event) : undefined;
    onCommit(db, () => {
      if (isAlwaysKept) floodBound.count(event);
      else floodBound.admits(event);
      if (recorded !== undefined) writeLine(recorded);
      onEvent?.(event, true);
    });
    if (recorded !== undefined) await store.insert([recorded], db);
  }

  const audit: AuditOf<Described> = {
    record,
    requireAllowance,
    recordIn,
    recordIfPossible(event) {
      refuseChange(event);
      return record(event).catch(() => {});
    },
    digestName: (name) => createHmac('sha256', nameKey).update(name).digest('base64url').slice(0, 22),
  };
  return {
    ...audit,
    /** Counts an act against its limit although it changed nothing, and therefore has no event. For an act that is always expensive. */
    countAct: (event: AuditEvent): void => floodBound.count(event),
    /** Records the counts of events that were left out, and waits for pending inserts. Never fails: each event has its log line. */
    async close(): Promise<void> {
      floodBound.close();
      await commits.settle();
    },
  };
}
