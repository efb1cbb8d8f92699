import { availableParallelism } from 'node:os';
import { createHashingThreads } from '../../src/core/passwords/hashing/threads.ts';

/**
 * The threads of all servers in this process, because starting a thread takes longer than a hash. A test that needs hashes of the real
 * cost sets `HASHING_CONCURRENCY`.
 */
export const hashingThreads = createHashingThreads(availableParallelism(), new URL('./thread.ts', import.meta.url));
