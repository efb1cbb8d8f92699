/** In a terminal, SIGHUP means that the terminal closes. The programs started there end with it. */
export const endsWithTerminal = process.stdout.isTTY;

/**
 * Call it first in a command that serves. From then on these signals don't end this process. They do nothing until the server
 * listens for them. SIGHUP still ends a server in a terminal.
 *
 * The launcher (`bin/own-node.mjs`) holds signals back until it gets the message below. A killed launcher can pass on no signals, so
 * this process then shuts down.
 */
export function hearSignals(...signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) if (signal !== 'SIGHUP' || !endsWithTerminal) process.on(signal, () => {});
  if (process.send === undefined) return;
  const end = () => process.kill(process.pid, 'SIGTERM');
  if (!process.connected) end();
  process.once('disconnect', end);
  // The channel doesn't keep the process alive.
  process.channel?.unref();
  process.send({ janua: 'hears' }, () => {});
}
