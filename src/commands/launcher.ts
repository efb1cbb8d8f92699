/** In a terminal SIGHUP is the end of that, and of what was started there. */
export const endsWithTerminal = process.stdout.isTTY;

/**
 * For a command that serves, before anything else: from here on these signals, which ask a running server for something, do not end
 * this process, as they would by default, and mean nothing until somebody follows them.
 *
 * Where the launcher (`bin/own-node.mjs`) has started it, that keeps them until it hears of it. Should the launcher be killed, it can
 * pass on no signal any more, and this process ends in order.
 */
export function hearSignals(...signals: readonly NodeJS.Signals[]): void {
  for (const signal of signals) process.on(signal, () => {});
  if (process.send === undefined) return;
  const end = () => process.kill(process.pid, 'SIGTERM');
  if (!process.connected) end();
  process.once('disconnect', end);
  // Nobody is waited for here.
  process.channel?.unref();
  process.send({ janua: 'hears' }, () => {});
}
