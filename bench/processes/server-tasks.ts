/** What each server of the benchmark says of itself. */
export interface ServerTasks {
  [name: string]: () => unknown;
  port(): Promise<number>;
  usage(): Usage;
}

export interface Usage {
  /** Microseconds of CPU since the process started, of all its threads and in the system too. */
  readonly cpu: number;
  /** Resident memory in bytes. */
  readonly resident: number;
}

export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpu: user + system, resident: process.memoryUsage.rss() };
}
