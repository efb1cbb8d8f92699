import { execFile, execFileSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import { findProgram } from '../servers/find-program.ts';
import { atProcessEnd } from '../servers/process-end.ts';

const execute = promisify(execFile);

/** Machines with addresses of their own: namespaces of this machine at one bridge, from which this process reaches them all. */
export interface Network extends AsyncDisposable {
  readonly addresses: readonly string[];
  /** Begins a command that runs on a machine. Its processes see no others, and all end with it. */
  commandOn(machine: number): readonly [program: string, ...args: string[]];
  /** Loses every packet from and to the machine. */
  unplug(machine: number): Promise<void>;
  /** Loses every packet between the machine and the other machines. This process still reaches it. */
  separate(machine: number): Promise<void>;
  join(machine: number): Promise<void>;
}

/** For `skip`: why there can be no such network, or false. */
export function withoutNetwork(): string | false {
  if (process.getuid?.() !== 0) return 'only root may make a network of machines';
  return ['ip', 'unshare', 'setpriv'].every((name) => findProgram(name)) ? false : 'not installed: iproute2';
}

export async function createNetwork(size: number): Promise<Network> {
  const name = `jn${randomBytes(3).toString('hex')}`;
  // RFC 2544: networks for measurements, which lead nowhere.
  const net = `198.${randomInt(18, 20)}.${randomInt(256)}`;
  const machines = Array.from({ length: size }, (_, index) => ({
    namespace: `${name}-${index}`,
    plug: `${name}${index}`,
    address: `${net}.${10 + index}`,
  }));
  const ip = (...args: readonly string[]) => execute('ip', args);
  const forget = atProcessEnd(removeAll);

  function removeAll(): void {
    for (const words of [...machines.map(({ namespace }) => ['netns', 'del', namespace]), ['link', 'del', name]])
      try {
        execFileSync('ip', words, { stdio: 'ignore' });
      } catch {
        // It was not made.
      }
  }

  const at = (machine: number) => machines[machine] ?? { namespace: '', plug: '', address: '' };
  /** Makes or removes the routes on which packets between two machines are lost. */
  async function route(word: 'replace' | 'del', machine: number): Promise<void> {
    const one = at(machine);
    for (const other of machines.filter((each) => each !== one))
      for (const [from, to] of [[one, other] as const, [other, one] as const])
        await ip('-n', from.namespace, 'route', word, 'blackhole', to.address);
  }

  try {
    await ip('link', 'add', name, 'type', 'bridge');
    await ip('address', 'add', `${net}.1/24`, 'dev', name);
    await ip('link', 'set', name, 'up');
    for (const { namespace, plug, address } of machines) {
      await ip('netns', 'add', namespace);
      await ip('link', 'add', plug, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      await ip('link', 'set', plug, 'master', name, 'up');
      await ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      for (const device of ['lo', 'eth0']) await ip('-n', namespace, 'link', 'set', device, 'up');
    }
  } catch (error) {
    removeAll();
    forget();
    throw error;
  }

  const separated = new Set<number>();
  return {
    addresses: machines.map(({ address }) => address),
    commandOn: (machine) => [
      ...(['ip', 'netns', 'exec', at(machine).namespace] as const),
      ...['unshare', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ],
    async unplug(machine) {
      await ip('link', 'set', at(machine).plug, 'down');
    },
    async separate(machine) {
      separated.add(machine);
      await route('replace', machine);
    },
    async join(machine) {
      await ip('link', 'set', at(machine).plug, 'up');
      if (separated.delete(machine)) await route('del', machine);
    },
    async [Symbol.asyncDispose]() {
      removeAll();
      forget();
    },
  };
}
