import { type EventKind, eventKinds } from './event.ts';

const minute = 60_000;

interface Minute {
  readonly start: number;
  admitted: number;
  leftOut: number;
  end?: NodeJS.Timeout;
}

export interface FloodBoundOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Events of each cheap kind that are let through in a minute. */
  readonly perMinute: number;
  /** Told once for each kind and minute in which there were more. */
  onLeftOut(kind: EventKind, count: number): void;
}

export interface FloodBound {
  /** Whether an event of that kind is to be kept; else it has been counted. */
  admits(kind: EventKind): boolean;
  /** Ends the minutes that have begun. */
  close(): void;
}

/** Bounds what somebody who has nothing but a connection can make the audit keep (ASVS 16.4.2, 2.4.1). */
export function createFloodBound({ now, perMinute, onLeftOut }: FloodBoundOptions): FloodBound {
  const minutes = new Map<EventKind, Minute>();

  function end(kind: EventKind): void {
    const ended = minutes.get(kind);
    minutes.delete(kind);
    clearTimeout(ended?.end);
    if (ended !== undefined && ended.leftOut > 0) onLeftOut(kind, ended.leftOut);
  }

  function minuteOf(kind: EventKind, time: number): Minute {
    const current = minutes.get(kind);
    // Earlier than its start, where the clock was set back.
    if (current !== undefined && time >= current.start && time < current.start + minute) return current;
    end(kind);
    const begun = { start: time, admitted: 0, leftOut: 0 };
    minutes.set(kind, begun);
    return begun;
  }

  return {
    admits(kind) {
      if (!eventKinds[kind].cheap) return true;
      const time = now();
      const current = minuteOf(kind, time);
      if (current.admitted < perMinute) {
        current.admitted += 1;
        return true;
      }
      current.leftOut += 1;
      // Nobody has to come for it to be said, and nobody has to stay for it.
      current.end ??= setTimeout(() => end(kind), current.start + minute - time).unref();
      return false;
    },
    close() {
      for (const kind of [...minutes.keys()]) end(kind);
    },
  };
}
