import sonicBoom from 'sonic-boom';

/** Characters that are kept where nobody takes them, as with a full disk or a reader that stands still. */
const mostKept = 1024 * 1024;

/** Milliseconds without a line written after which nobody seems to take any. */
const stuckAfter = 200;

export interface LogOutput {
  write(line: string): void;
  /** How many lines were dropped since it was asked last, once others are written again. */
  takeLost(): number;
}

let opened: LogOutput | undefined;

/** One of the process, however many logs it has. */
export function openLogOutput(): LogOutput {
  opened ??= openOutput();
  return opened;
}

/**
 * Standard output for the log. Nothing waits for it, neither a request nor the end of the process: what cannot be written is tried
 * again with the next line, a bounded part of it is kept meanwhile, and the rest is dropped and counted.
 */
function openOutput(): LogOutput {
  let isEnding = false;
  const stream = new sonicBoom.SonicBoom({ fd: 1, maxLength: mostKept, retryEAGAIN: () => !isEnding });
  /** Bytes on their way. */
  let pending = 0;
  let latest = 0;
  let failed = false;
  let lost = 0;
  // As of a full disk or of a terminal that was closed: there is nowhere to say it.
  stream.on('error', () => {
    failed = true;
  });
  stream.on('write', (bytes: number) => {
    failed = false;
    pending -= bytes;
    latest = performance.now();
  });
  stream.on('drop', () => {
    lost += 1;
  });
  // What was written just before a crash. The stream tries for ever where it fails, or stands still.
  process.once('exit', () => {
    isEnding = true;
    if (pending > 0 && !failed && performance.now() - latest < stuckAfter) stream.flushSync();
  });

  return {
    write(line) {
      if (pending === 0) latest = performance.now();
      const before = lost;
      stream.write(line);
      if (lost === before) pending += Buffer.byteLength(line);
    },
    takeLost() {
      const count = failed || pending > mostKept / 2 ? 0 : lost;
      lost -= count;
      return count;
    },
  };
}
