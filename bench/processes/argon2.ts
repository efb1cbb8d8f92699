// What logins are compared with: the hash alone, as many under way as the server has.
import { verify } from '@node-rs/argon2';
import { offer } from './child.ts';

export interface Hashing {
  readonly hash: string;
  readonly password: string;
  readonly concurrency: number;
  /** Ends at this many hashes or this many seconds, whichever comes first. */
  readonly count: number;
  readonly seconds: number;
}

export type Argon2Tasks = {
  /** Hashes per second. */
  hash(hashing: Hashing): Promise<number>;
};

offer({
  async hash({ hash, password, concurrency, count, seconds }) {
    const bytes = Buffer.from(password);
    const start = performance.now();
    const deadline = start + seconds * 1000;
    let started = 0;
    async function work(): Promise<void> {
      while (started < count && performance.now() < deadline) {
        started += 1;
        if (!(await verify(hash, bytes))) throw new Error('the password does not match its hash');
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work));
    return (started / (performance.now() - start)) * 1000;
  },
} satisfies Argon2Tasks);
