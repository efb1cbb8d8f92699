import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTemporaryFolder } from '../servers/process-end.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** npm's variables for the scripts of this project. They must not reach an npm in another folder, except the paths. */
const ofOurScript =
  /^npm_(?!config_(?:registry|cache|userconfig|globalconfig|proxy|https_proxy|noproxy|cafile)$)|^INIT_CWD$/;

/** The environment of an npm in another folder. Our own Node comes first on the path. */
export const environment: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ofOurScript.test(name))),
  PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
};

/** Milliseconds after which a hanging program is killed and its test fails. */
const patience = 90_000;

/** Whether npm reaches the registry, from which the dependencies of the package come. */
export const findsRegistry = () =>
  promisify(execFile)('npm', ['ping', '--fetch-retries=0'], { env: environment, timeout: patience }).then(
    () => true,
    () => false,
  );

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Packed extends Disposable {
  /** The folder that was packed. */
  readonly folder: string;
  /** The paths of all files in the package. */
  readonly files: readonly string[];
  /** Installs it into an empty folder. */
  install(): Promise<Consumer>;
}

/** The folder of a user who has installed the package. */
export interface Consumer {
  readonly folder: string;
  /** Runs a program to its end. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<Finished>;
  /** Starts a server and waits until it prints its address. */
  start(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Started>;
}

export interface Started {
  readonly url: string;
  /** Ends the server, and waits until all processes that it started have ended. */
  stop(): Promise<void>;
}

interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Builds and packs the package. */
export async function packPackage(): Promise<Packed> {
  const temporary = createTemporaryFolder('package');
  const folder = temporary.path;
  const built = join(folder, 'built');
  const empty = join(folder, 'empty');

  async function run(program: string, args: readonly string[], { cwd = empty, input = '', env }: RunOptions = {}) {
    const options = { cwd, env: { ...environment, ...env }, timeout: patience, maxBuffer: 2 ** 26 };
    const running = promisify(execFile)(program, args, options);
    // A program without input may have ended already.
    running.child.stdin?.on('error', () => {}).end(input);
    return running.then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
  }

  async function mustRun(program: string, args: readonly string[], options?: RunOptions): Promise<string> {
    const { code, stdout, stderr } = await run(program, args, options);
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} has failed: ${stdout}${stderr}`);
    return stdout;
  }

  await mustRun(process.execPath, [join(root, 'scripts/build.ts'), built], { cwd: root });
  const [packed] = JSON.parse(await mustRun('npm', ['pack', '--json', '--pack-destination', folder], { cwd: built }));

  async function install(): Promise<Consumer> {
    await mustRun('mkdir', [empty], { cwd: folder });
    // Its dependencies come from the registry, or from npm's cache.
    await mustRun('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, packed.filename)]);
    return {
      folder: empty,
      run,
      async start(program, args, env = {}) {
        const child = spawn(program, args, { cwd: empty, env: { ...environment, ...env }, timeout: patience });
        const errors = text(child.stderr);
        const closed = once(child, 'close');
        for await (const line of createInterface({ input: child.stdout })) {
          const port = /http:\/\/localhost:(\d+)/.exec(line)?.[1];
          if (port === undefined) continue;
          return {
            url: `http://127.0.0.1:${port}`,
            async stop() {
              child.stdout.resume();
              child.kill('SIGTERM');
              await closed;
            },
          };
        }
        throw new Error(`the server did not start: ${await errors}`);
      },
    };
  }

  return {
    folder: built,
    files: packed.files.map(({ path }: { path: string }) => path),
    install,
    [Symbol.dispose]: () => temporary.remove(),
  };
}
