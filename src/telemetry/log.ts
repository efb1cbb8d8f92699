import pino, { type Logger, type SerializerFn } from 'pino';
import type { Settings } from '../config/settings.ts';
import { type LogOutput, openLogOutput } from './log-output.ts';
import { toText } from './text-line.ts';

/** All logs of the process share one output. */
let output: LogOutput | undefined;

/**
 * The log, on standard output: text for people, JSON for programs.
 * @param describeRequest describes a request that is logged as `req`
 */
export function createLog(settings: Pick<Settings, 'LOG_LEVEL' | 'LOG_FORMAT'>, describeRequest: SerializerFn): Logger {
  const format = settings.LOG_FORMAT ?? (process.stdout.isTTY ? 'text' : 'json');
  output ??= openLogOutput();
  const { write, takeLost } = output;
  const log: Logger = pino(
    { level: settings.LOG_LEVEL, serializers: { req: describeRequest, err: describeError } },
    {
      write(line: string) {
        write(format === 'json' ? line : toText(line));
        const lines = takeLost();
        if (lines > 0) log.warn({ event: 'log_lost', lines }, 'lines of the log were lost');
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

/** Gives a function that switches a log to `debug`, or back to its level, and logs the switch. */
export function createLevelSwitch(log: Logger): (debug: boolean) => void {
  const set = log.level;
  return (debug) => {
    const next = debug ? 'debug' : set;
    // The log is at `debug` for this line, so that any level shows it.
    log.level = 'debug';
    log.warn({ event: 'log_level', to: next }, `the log level is now ${next}`);
    log.level = next;
  };
}
