import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './find-program.ts';
import { createTemporaryFolder } from './process-end.ts';
import { startServer } from './throw-away-server.ts';

/** An agent that keeps the tokens of its user, with a home of its own. */
export interface OidcAgent extends AsyncDisposable {
  /** Starts `oidc-gen`, which makes an account in the agent. */
  generate(...args: readonly string[]): ChildProcessWithoutNullStreams;
  /** What `oidc-token` prints. Rejects if the agent gets no token. */
  token(...args: readonly string[]): Promise<string>;
}

/** The path of oidc-agent on this machine. */
export const findOidcAgent = (): string | undefined => findProgram('oidc-agent');

export async function startOidcAgent(): Promise<OidcAgent> {
  const program = findOidcAgent();
  if (program === undefined) throw new Error('oidc-agent is not installed');
  const folder = createTemporaryFolder('oidc-agent-home');
  const [accounts, password, socket] = [`${folder.path}/accounts`, `${folder.path}/password`, `${folder.path}/socket`];
  const env = { PATH: process.env.PATH, HOME: folder.path, OIDC_CONFIG_DIR: accounts, OIDC_SOCK: socket };
  await mkdir(accounts);
  await writeFile(password, 'correct horse battery');
  const server = await startServer(
    {
      name: 'oidc-agent',
      program: findProgram('env') ?? 'env',
      args: () => [
        ...[`HOME=${folder.path}`, `OIDC_CONFIG_DIR=${accounts}`, program, '--console', '--no-autoreauthenticate'],
        `--socket-path=${socket}`,
      ],
      url: () => '',
      answers: () => takesConnections(socket),
      stopSignal: 'SIGTERM',
      endSignal: 'SIGKILL',
    },
    {},
  );
  return {
    generate: (...args) =>
      spawn(join(program, '../oidc-gen'), [`--pw-file=${password}`, '--prompt=none', ...args], { env }),
    async token(...args) {
      const { stdout } = await promisify(execFile)(join(program, '../oidc-token'), [...args], { env });
      return stdout.trim();
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}

async function takesConnections(path: string): Promise<boolean> {
  const socket = connect(path);
  await once(socket, 'connect').finally(() => socket.destroy());
  return true;
}
