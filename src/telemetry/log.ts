import pino, { type Logger, type SerializerFn } from 'pino';
import { openLogOutput } from './log-output.ts';
import { toText } from './text-line.ts';

export interface LogOptions {
  readonly level: string;
  /** For programs, or for people. */
  readonly format: 'json' | 'text';
  /** What a line says of a request, given as `req`. */
  readonly describeRequest: SerializerFn;
}

/** The log, on standard output. */
export function createLog({ level, format, describeRequest }: LogOptions): Logger {
  const serializers = { req: describeRequest, err: describeError };
  const toLine = format === 'json' ? (line: string) => line : toText;
  const output = openLogOutput();
  const log: Logger = pino(
    { level, serializers },
    {
      write(line: string) {
        output.write(toLine(line));
        const lines = output.takeLost();
        if (lines > 0) log.warn({ event: 'log_lost', lines }, 'lines of the log could not be written');
      },
    },
  );
  return log;
}

/** Node's parser adds to its errors what it was given: a whole request, with password or cookie. */
function describeError(error: Error) {
  const { rawPacket: _, ...described } = pino.stdSerializers.err(error) as pino.SerializedError & {
    rawPacket?: unknown;
  };
  return described;
}

/** The level at which the log says all it can. */
const looking = 'debug';

/** What turns a log to `debug`, or back to what is set, and says so. */
export function createLevelSwitch(log: Logger): (debug: boolean) => void {
  const set = log.level;
  return (debug) => {
    const next = debug ? looking : set;
    // Said at the level at which it can be seen, whatever is set.
    log.level = looking;
    log.warn({ event: 'log_level', to: next }, `the log is at ${next} from here on`);
    log.level = next;
  };
}

/**
 * Follows a signal: the log goes to `debug`, and back to what is set with the next one.
 * What is returned stops following it.
 * @param onTurn is told as well
 */
export function followSignal(log: Logger, onTurn: (debug: boolean) => void = () => {}): Disposable {
  const turnTo = createLevelSwitch(log);
  let debug = false;
  function turn(): void {
    debug = !debug;
    turnTo(debug);
    onTurn(debug);
  }
  process.on('SIGUSR2', turn);
  return { [Symbol.dispose]: () => void process.off('SIGUSR2', turn) };
}
