import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What each server of the benchmark says of itself. */
export interface ServerTasks {
  [name: string]: () => unknown;
  port(): Promise<number>;
  usage(): Usage;
  usageAtRest(): Usage;
}

/** What a peer can be asked for beside that, before it is measured. */
export type PeerTasks = {
  addUsers(usernames: readonly string[], password: string): Promise<void>;
};

export interface Usage {
  /** Microseconds of CPU since the process started, of all its threads and in the system too. */
  readonly cpu: number;
  /** Resident memory in bytes, and the most that it ever was. */
  readonly resident: number;
  readonly mostResident: number;
  /** Bytes of JavaScript's objects. */
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

/** The usage without what is only waiting to be collected. */
export function usageAtRest(): Usage {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return usage();
}
