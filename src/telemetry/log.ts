import pino, { type Logger, type SerializerFn } from 'pino';

export interface LogOptions {
  readonly level: string;
  /** For programs, or for people. */
  readonly format: 'json' | 'text';
  /** What a line says of a request, given as `req`. */
  readonly describeRequest: SerializerFn;
}

/** The log, on standard output. */
export async function createLog({ level, format, describeRequest }: LogOptions): Promise<Logger> {
  const options = { level, serializers: { req: describeRequest } };
  if (format === 'json') return pino(options);
  const { toText } = await import('./text-line.ts');
  const output = pino.destination(1);
  return pino(options, { write: (line: string) => void output.write(toText(line)) });
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
