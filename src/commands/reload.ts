import { readdir, readFile } from 'node:fs/promises';
import { Misconfiguration } from '../faults/misconfiguration.ts';

/**
 * Sends SIGHUP to a running server of this installation. An operator cannot signal `npx janua serve` instead: npm and its shell do not
 * pass SIGHUP on.
 * @param typedPid the server's process, if there are several servers
 */
export async function reload(typedPid?: string): Promise<void> {
  const serving = await findServing();
  const servers = serving.filter(({ isWorker }) => !isWorker);
  const pids = servers.map(({ pid }) => pid).join(', ');
  const [server, another] = servers.filter(({ pid }) => typedPid === undefined || String(pid) === typedPid);
  if (servers.length === 0) throw new Misconfiguration('No `janua serve` of this installation is running here.');
  if (server === undefined)
    throw new Misconfiguration(`Process ${typedPid} is no server of this installation: ${pids}.`);
  if (another !== undefined) throw new Misconfiguration(`Say which server: janua reload PID, with one of ${pids}.`);
  if (!serving.some(({ isWorker, parent }) => isWorker && parent === server.pid))
    throw new Misconfiguration(
      'This server is one process, which cannot reload. Restart it, or set WORKERS to 2 or more.',
    );
  process.kill(server.pid, 'SIGHUP');
  process.stdout.write(`Process ${server.pid} is reloading. Its log says \`reloaded\` when it is done.\n`);
}

/** Finds primaries, single processes and workers by the path of their program, which is the path of this command too. */
async function findServing() {
  const names = await readdir('/proc').catch(() => {
    throw new Misconfiguration('Only Linux lists its processes in /proc. Send SIGHUP to the process that serves.');
  });
  // A process that has ended meanwhile is rejected.
  const read = await Promise.allSettled(names.filter((name) => /^\d+$/.test(name)).map(readProcess));
  return read.flatMap((result) => (result.status === 'fulfilled' ? (result.value ?? []) : []));
}

/** Gives undefined for a process that does not serve. */
async function readProcess(pid: string) {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  // Options for Node itself come before the program.
  const [program, command, option] = args.slice(args.indexOf(process.argv[1] ?? ''));
  if (program !== process.argv[1] || command !== 'serve') return undefined;
  return { pid: Number(pid), parent: Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]), isWorker: option === '--worker' };
}
