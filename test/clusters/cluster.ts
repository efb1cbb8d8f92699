import { setTimeout } from 'node:timers/promises';
import { type Kind, type Place, startServer, type ThrowAwayServer } from '../servers/throw-away-server.ts';
import type { Network } from './network.ts';

/** Stores on several machines, which take over from each other. */
export interface Cluster extends AsyncDisposable {
  /** The settings of one of the servers of Janua. */
  env(server: number): Readonly<Record<string, string>>;
  readonly faults: Readonly<Record<string, Fault>>;
  /** The node that takes writes, if there is one just now. */
  leader?(): Promise<number | undefined>;
  /** Waits until all nodes are back in their places. */
  settle(): Promise<void>;
}

/** Begins at a node. Returns what ends it. */
type Fault = (node: number) => Promise<() => Promise<void>>;

type Node = Pick<ThrowAwayServer, 'freeze' | 'resume' | 'kill' | 'start'>;

export const crashes = (nodes: readonly Node[]) => ({
  async kill(node: number) {
    await nodes[node]?.kill();
    return async () => nodes[node]?.start();
  },
  async freeze(node: number) {
    nodes[node]?.freeze();
    return async () => nodes[node]?.resume();
  },
});

export const partitions = ({ unplug, separate, join }: Network) => ({
  async unplug(node: number) {
    await unplug(node);
    return () => join(node);
  },
  async separate(node: number) {
    await separate(node);
    return () => join(node);
  },
});

interface Machines {
  readonly name: string;
  /** A script of the shell, which runs as root as the first process of each machine, and its arguments. */
  readonly script: string;
  args(address: string, place: Place): readonly string[];
  answers(address: string): Promise<boolean>;
}

/** Runs a script on each machine. A machine is killed or frozen with all its programs. */
export async function startMachines(
  { addresses, commandOn }: Network,
  closing: AsyncDisposableStack,
  { name, script, args, answers }: Machines,
): Promise<readonly ThrowAwayServer[]> {
  const starting = addresses.map((address, machine) => {
    const [program, ...words] = commandOn(machine);
    const kind: Kind = {
      ...{ name, program, url: () => '', answers: () => answers(address), stopSignal: 'SIGTERM', endSignal: 'SIGKILL' },
      args: (place) => [...words, 'sh', '-c', script, 'sh', ...args(address, place)],
    };
    return startServer(kind, {}).then((node) => closing.use(node));
  });
  return Promise.all(starting);
}

/** Milliseconds within which a cluster has to work again after a fault, and between two looks. */
const patience = 120_000;
const pollInterval = 200;

export async function until(expected: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + patience; performance.now() < deadline; await setTimeout(pollInterval))
    if (await holds().catch(() => false)) return;
  throw new Error(`${patience / 1000} s have passed without this: ${expected}`);
}
