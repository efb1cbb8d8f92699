/** In a terminal SIGHUP is the end of that, and of what was started there. */
export const endsWithTerminal = process.stdout.isTTY;

/**
 * Call it first in a command that serves. From here on these signals, which ask a running server for something, don't end this
 * process. They do nothing until the server listens to them.
 *
 * The launcher (`bin/own-node.mjs`) keeps signals back until it gets the message below. If the launcher is killed, it can pass on no
 * signal any more, and this process stops in order.
 */
export function hearSignals(...signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) process.on(signal, () => {});
  if (process.send === undefined) return;
  const end = () => process.kill(process.pid, 'SIGTERM');
  if (!process.connected) end();
  process.once('disconnect', end);
  // The channel doesn't keep the process alive.
  process.channel?.unref();
  process.send({ janua: 'hears' }, () => {});
}
