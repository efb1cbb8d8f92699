/** In a terminal, SIGHUP means that the terminal closes. The programs started there end with it. */
export const endsWithTerminal = process.stdout.isTTY;

/**
 * Call it first in a command that serves. From then on SIGHUP doesn't end this process, except in a terminal. It does nothing until the
 * server listens for it.
 *
 * The launcher (`bin/own-node.mjs`) holds SIGHUP back until it gets the message below. A killed launcher can pass on no signals, so
 * this process then shuts down.
 */
export function hearLauncher(): void {
  if (!endsWithTerminal) process.on('SIGHUP', () => {});
  if (process.send === undefined) return;
  const end = () => process.kill(process.pid, 'SIGTERM');
  if (!process.connected) end();
  process.once('disconnect', end);
  // The channel doesn't keep the process alive.
  process.channel?.unref();
  process.send({ janua: 'hears' }, () => {});
}
