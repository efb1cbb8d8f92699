import sonicBoom from 'sonic-boom';

/** Characters to keep while output is blocked, for example by a full disk or a stalled reader. */
const mostKept = 1024 * 1024;

/** The output counts as stuck after so many milliseconds without a written line. */
const stuckAfter = 200;

export type LogOutput = ReturnType<typeof openLogOutput>;

/**
 * Standard output for the log. Neither a request nor the end of the process waits for it. Unwritten lines are tried again with the next
 * line. A bounded amount of them is kept. The rest is dropped and counted.
 */
export function openLogOutput() {
  let isEnding = false;
  const stream = new sonicBoom.SonicBoom({ fd: 1, maxLength: mostKept, retryEAGAIN: () => !isEnding });
  /** Bytes that are being written. */
  let pending = 0;
  let latest = 0;
  let failed = false;
  let lost = 0;
  // A full disk or a closed terminal cannot be reported anywhere.
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
  // Writes the last lines before a crash. A stream that fails or is stuck would retry forever.
  process.once('exit', () => {
    isEnding = true;
    if (pending > 0 && !failed && performance.now() - latest < stuckAfter) stream.flushSync();
  });

  return {
    write(line: string): void {
      if (pending === 0) latest = performance.now();
      const before = lost;
      stream.write(line);
      if (lost === before) pending += Buffer.byteLength(line);
    },
    /** Gives the number of lines dropped since the last call. It is 0 until lines can be written again. */
    takeLost(): number {
      const count = failed || pending > mostKept / 2 ? 0 : lost;
      lost -= count;
      return count;
    },
  };
}
