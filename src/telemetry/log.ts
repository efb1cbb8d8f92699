import pino, { type Logger, type SerializerFn } from 'pino';
import { openLogOutput } from './log-output.ts';
import { toText } from './text-line.ts';

export interface LogOptions {
  readonly level: string;
  /** `json` is for programs, `text` for people. */
  readonly format: 'json' | 'text';
  /** Describes a request that is logged as `req`. */
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

/** Node's HTTP parser adds the raw request to its errors. It may hold a password or a cookie. */
function describeError(error: Error) {
  const { rawPacket: _, ...described } = pino.stdSerializers.err(error) as pino.SerializedError & {
    rawPacket?: unknown;
  };
  return described;
}

/** The most detailed level. */
const looking = 'debug';

/** Gives a function that switches a log to `debug`, or back to its level, and logs the switch. */
export function createLevelSwitch(log: Logger): (debug: boolean) => void {
  const set = log.level;
  return (debug) => {
    const next = debug ? looking : set;
    // Logged at `debug`, so that it shows at any level.
    log.level = looking;
    log.warn({ event: 'log_level', to: next }, `the log is at ${next} from here on`);
    log.level = next;
  };
}

/**
 * Switches the log to `debug` at SIGUSR2, and back at the next SIGUSR2, until it is disposed of.
 * @param onTurn is called at each switch
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
