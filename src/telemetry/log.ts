import pino, { type Logger, type SerializerFn } from 'pino';
import { openLogOutput } from './log-output.ts';

export interface LogOptions {
  readonly level: string;
  /** For programs, or for people. */
  readonly format: 'json' | 'text';
  /** What a line says of a request, given as `req`. */
  readonly describeRequest: SerializerFn;
}

/** The log, on standard output. */
export async function createLog({ level, format, describeRequest }: LogOptions): Promise<Logger> {
  const serializers = { req: describeRequest, err: describeError };
  const toLine = format === 'json' ? (line: string) => line : (await import('./text-line.ts')).toText;
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

/** While it is at work, the log says all it can. */
const looking = 'debug';

/**
 * Follows a signal: the log goes to `debug`, and back to what is set with the next one.
 * What is returned stops following it.
 */
export function followSignal(log: Logger): Disposable {
  const set = log.level;
  function turn(): void {
    const next = log.level === set ? looking : set;
    // Said at the level at which it can be seen, whatever is set.
    log.level = looking;
    log.warn({ event: 'log_level', level: next }, `the log is at ${next} from here on`);
    log.level = next;
  }
  process.on('SIGUSR2', turn);
  return { [Symbol.dispose]: () => void process.off('SIGUSR2', turn) };
}
