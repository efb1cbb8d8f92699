import pino, { type Logger, type SerializerFn } from 'pino';
import sonicBoom from 'sonic-boom';
import type { Settings } from '../../ground/config/settings.ts';
import { toText } from './text-line.ts';

/** How many characters are kept while output is blocked, for example by a full disk or a stalled reader. */
const mostKept = 1024 * 1024;

/** Milliseconds without a written line after which the output counts as stuck. */
const stuckAfter = 200;

let writeLine: ((line: string) => void) | undefined;

/** The log, on standard output: text for people, JSON for programs. @param describeRequest describes a request that is logged as `req` */
export function createLog(settings: Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'>, describeRequest: SerializerFn): Logger {
  const format = settings.LOG_FORMAT ?? (process.stdout.isTTY ? 'text' : 'json');
  writeLine ??= openOutput((lines) => log.warn({ event: 'log_lost', lines }, 'lines of the log were lost'));
  const write = writeLine;
  const log: Logger = pino(
    { level: settings.LOG_LEVEL, serializers: { req: describeRequest, err: describeError } },
    { write: (line: string) => write(format === 'json' ? line : toText(line)) },
  );
  return log;
}

/**
 * Opens standard output for the log. Neither a request nor the end of the process waits for it. Lines that could not be written are retried
 * with the next line. A bounded amount of them is kept. The rest is dropped, and reported once lines can be written again.
 */
function openOutput(onLost: (lines: number) => void): (line: string) => void {
  let isEnding = false;
  let isIdle = true;
  let isFailing = false;
  /** The time of the latest written line, or of the first line that waits. */
  let latest = 0;
  let lost = 0;
  const stream = new sonicBoom.SonicBoom({ fd: 1, maxLength: mostKept, retryEAGAIN: () => !isEnding });
  // A full disk or a closed terminal cannot be reported anywhere.
  stream.on('error', () => {
    isFailing = true;
  });
  stream.on('drop', () => {
    lost += 1;
  });
  stream.on('write', () => {
    isFailing = false;
    latest = performance.now();
  });
  stream.on('drain', () => {
    isIdle = true;
    const lines = lost;
    lost = 0;
    if (lines > 0) onLost(lines);
  });
  // Writes the last lines before a crash, unless the stream fails or is stuck: `flushSync` would then retry forever.
  process.once('exit', () => {
    isEnding = true;
    if (!isIdle && !isFailing && performance.now() - latest < stuckAfter) stream.flushSync();
  });
  return (line) => {
    if (isIdle) latest = performance.now();
    isIdle = false;
    stream.write(line);
  };
}

/** Removes the raw request that Node's HTTP parser adds to its errors, because it may contain a password or a cookie. */
function describeError(error: Error) {
  const { rawPacket: _, ...described } = pino.stdSerializers.err(error) as pino.SerializedError & {
    rawPacket?: unknown;
  };
  return described;
}
