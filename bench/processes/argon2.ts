// The reference for logins: only the hash, with the server's concurrency.
import { verify } from '@node-rs/argon2';
import { percentile } from '../statistics.ts';
import { offer } from './child.ts';
import type { LoadResult } from './load.ts';
import { type Usage, usage } from './server-tasks.ts';

export interface Hashing {
  readonly hash: string;
  readonly password: string;
  readonly concurrency: number;
  /** Ends at this many hashes or this many seconds, whichever comes first. */
  readonly count: number;
  readonly seconds: number;
}

export type Argon2Tasks = {
  hash(hashing: Hashing): Promise<LoadResult>;
  usage(): Usage;
};

offer({
  async hash({ hash, password, concurrency, count, seconds }) {
    const bytes = Buffer.from(password);
    const start = performance.now();
    const deadline = start + seconds * 1000;
    const times: number[] = [];
    let started = 0;
    async function work(): Promise<void> {
      while (started < count && performance.now() < deadline) {
        started += 1;
        const startedAt = performance.now();
        if (!(await verify(hash, bytes))) throw new Error('the password does not match its hash');
        times.push(performance.now() - startedAt);
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work));
    return {
      answers: times.length,
      perSecond: (times.length / (performance.now() - start)) * 1000,
      median: percentile(times, 0.5),
      p99: percentile(times, 0.99),
    };
  },
  usage,
} satisfies Argon2Tasks);
