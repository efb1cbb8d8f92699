import sonicBoom from 'sonic-boom';

/** Characters that are kept while they cannot be written, as with a full disk or a reader that stands still. */
const mostKept = 1024 * 1024;

/** Milliseconds without a line written after which the output counts as stuck. */
const stuckAfter = 200;

export interface LogOutput {
  write(line: string): void;
  /** How many lines were dropped since the last call; 0 until lines can be written again. */
  takeLost(): number;
}

let opened: LogOutput | undefined;

/** One of the process, however many logs it has. */
export function openLogOutput(): LogOutput {
  opened ??= openOutput();
  return opened;
}

/**
 * Standard output for the log. Neither a request nor the end of the process waits for it. Lines that cannot be written are tried again
 * with the next line. A bounded part of them is kept, the rest is dropped and counted.
 */
function openOutput(): LogOutput {
  let isEnding = false;
  const stream = new sonicBoom.SonicBoom({ fd: 1, maxLength: mostKept, retryEAGAIN: () => !isEnding });
  /** Bytes on their way. */
  let pending = 0;
  let latest = 0;
  let failed = false;
  let lost = 0;
  // A full disk or a closed terminal: there is nowhere to report it.
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
  // Writes the last lines before a crash. A stream that fails or is stuck would try forever.
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
