/** In a terminal, SIGHUP means that the terminal closes. The programs that run in it end then. */
export const endsWithTerminal = process.stdout.isTTY;

/**
 * Makes a serving process ignore SIGHUP, except in a terminal, until the server listens for it. Must run before anything else.
 *
 * The launcher (`bin/own-node.mjs`) is the parent process. It holds SIGHUP back until it gets the message below. A killed launcher can pass
 * on no signals, so this process then shuts down.
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
