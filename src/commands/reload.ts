import { readdir, readFile } from 'node:fs/promises';
import { Misconfiguration } from '../faults/misconfiguration.ts';

interface Server {
  readonly pid: number;
  readonly hasWorkers: boolean;
}

/**
 * Sends SIGHUP to a running server of this installation. An operator cannot signal `npx janua serve` instead: npm and its shell do not
 * pass SIGHUP on.
 * @param typedPid the server's process, if there are several servers
 */
export async function reload(typedPid?: string): Promise<void> {
  const servers = await findServers();
  const pids = servers.map(({ pid }) => pid).join(', ');
  const chosen = typedPid === undefined ? servers : servers.filter(({ pid }) => String(pid) === typedPid);
  const [server] = chosen;
  if (servers.length === 0) throw new Misconfiguration('No `janua serve` of this installation is running here.');
  if (server === undefined)
    throw new Misconfiguration(`Process ${typedPid} is no server of this installation: ${pids}.`);
  if (chosen.length > 1) throw new Misconfiguration(`Say which server: janua reload PID, with one of ${pids}.`);
  if (!server.hasWorkers)
    throw new Misconfiguration(
      'This server is one process, which cannot reload. Restart it, or set WORKERS to 2 or more.',
    );
  process.kill(server.pid, 'SIGHUP');
  process.stdout.write(`Process ${server.pid} is reloading. Its log says \`reloaded\` when it is done.\n`);
}

/** Finds servers by the path of their program, which is the path of this command too. */
async function findServers(): Promise<Server[]> {
  const [, program] = process.argv;
  const serving = (await readProcesses()).filter(
    ({ args: [, path, command] }) => path === program && command === 'serve',
  );
  const workers = new Set(serving.filter(({ args }) => args[3] === '--worker').map(({ parent }) => parent));
  return serving.filter(({ args }) => args.length === 3).map(({ pid }) => ({ pid, hasWorkers: workers.has(pid) }));
}

/** Leaves out the arguments for Node itself. */
async function readProcesses(): Promise<{ pid: number; parent: number; args: string[] }[]> {
  const names = await readdir('/proc').catch(() => {
    throw new Misconfiguration('Only Linux tells which processes run. Send SIGHUP to the process that serves.');
  });
  const read = names
    .filter((name) => /^\d+$/.test(name))
    .map(async (name) => {
      const [line, status] = await Promise.all(
        ['cmdline', 'status'].map((file) => readFile(`/proc/${name}/${file}`, 'utf8')),
      );
      const args = (line ?? '').split('\0').slice(0, -1);
      const [, parent] = /^PPid:\s*(\d+)$/m.exec(status ?? '') ?? [];
      return {
        pid: Number(name),
        parent: Number(parent),
        args: args.filter((arg, at) => at === 0 || !/^--(?!worker$)/.test(arg)),
      };
    });
  // Some processes end meanwhile.
  return (await Promise.allSettled(read)).flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
