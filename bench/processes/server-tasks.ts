import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The tasks that each measured server offers. */
export interface ServerTasks {
  [name: string]: () => unknown;
  port(): Promise<number>;
  usage(): Usage;
  usageAtRest(): Usage;
}

/** Further tasks of a peer, before it is measured. */
export type PeerTasks = {
  addUsers(usernames: readonly string[], password: string): Promise<void>;
};

export interface Usage {
  /** Microseconds of CPU since the process started, of all threads, including system time. */
  readonly cpu: number;
  /** Resident memory in bytes, and its peak. */
  readonly resident: number;
  readonly mostResident: number;
  /** Bytes of JavaScript objects. */
  readonly heap: number;
}

export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return {
    cpu: user + system,
    resident: process.memoryUsage.rss(),
    mostResident: process.resourceUsage().maxRSS * 1024,
    heap: process.memoryUsage().heapUsed,
  };
}

/** Gives the usage after a garbage collection. */
export function usageAtRest(): Usage {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return usage();
}
