// Imported into each process of the bench before its own code: tells what the process uses.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { offer } from './child.ts';

export interface Usage {
  /** Microseconds of CPU since the process started, of all threads, including system time. */
  readonly cpu: number;
  /** Resident memory in bytes, and its peak. */
  readonly resident: number;
  readonly mostResident: number;
  /** Bytes of JavaScript objects. */
  readonly heap: number;
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return { cpu: user + system, resident: rss, mostResident: process.resourceUsage().maxRSS * 1024, heap: heapUsed };
}

const tasks = {
  usage,
  /** The usage after a garbage collection. */
  usageAtRest() {
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    return usage();
  },
};

export type UsageTasks = typeof tasks;

offer(tasks);
