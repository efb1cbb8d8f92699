import type { Credentials } from './clients.ts';

/** A session that a server acknowledged, and what became of it as far as a client can know. */
export interface Session {
  readonly user: string;
  readonly cookie: string;
  /** Unknown while a request may end it, and after one without an answer. */
  state: 'alive' | 'ended' | 'unknown';
  /** By what and when. */
  end?: string;
  refreshToken?: string | undefined;
}

/** What the servers have acknowledged, and what else the clients saw. */
export class Journal {
  readonly sessions: Session[] = [];
  /** Users with a new password. One of whom a change got no answer is not among them. */
  readonly changed = new Set<Credentials>();
  /** The group that administrators gave to users, by their ids. */
  readonly groups = new Map<string, string>();
  /** What must not happen, as it was seen. */
  readonly faults = { twice: [] as string[], withoutAdministrator: [] as string[] };
  readonly counts = { logins: 0, ends: 0, singleUses: 0, rounds: 0, answers: 0, unknown: 0, stale: 0 };
  /** The longest time in which no server gave an answer, in milliseconds, and when it ended. */
  silence = { longest: 0, until: '' };
  readonly #begin = performance.now();
  #lastAnswer = this.#begin;

  time = (): string => `${((performance.now() - this.#begin) / 1000).toFixed(1)} s`;

  answered(): void {
    this.counts.answers += 1;
    const silence = performance.now() - this.#lastAnswer;
    if (silence > this.silence.longest) this.silence = { longest: silence, until: this.time() };
    this.#lastAnswer = performance.now();
  }

  began(user: string, cookie: string, refreshToken: string | undefined): Session {
    const session: Session = { user, cookie, state: 'alive', refreshToken };
    this.sessions.push(session);
    this.counts.logins += 1;
    return session;
  }

  ended(sessions: readonly Session[], by: string): void {
    for (const session of sessions) Object.assign(session, { state: 'ended', end: `${by} at ${this.time()}` });
    this.counts.ends += sessions.length;
  }

  /** One thing was used at several servers at once. @param given by each success; the same twice is one */
  used(what: string, given: readonly string[]): readonly string[] {
    this.counts.singleUses += 1;
    if (new Set(given).size > 1) this.faults.twice.push(`${what} at ${this.time()}`);
    return given;
  }

  withoutAdministrator(how: string): void {
    this.faults.withoutAdministrator.push(`${how} at ${this.time()}`);
  }
}
