/**
 * Measures the milliseconds of the processor that this thread takes for some calls together, the least of some tries. The clock of a thread
 * has ticks of some milliseconds.
 */
export async function costOf(send: () => Promise<unknown>, times: number, tries: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count < tries; count += 1) {
    const before = process.threadCpuUsage();
    for (let sent = 0; sent < times; sent += 1) await send();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}
