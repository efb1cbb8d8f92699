import type { Worker } from 'node:cluster';

/** A connection of which the worker has not said that it took it. */
interface Connection {
  close(): void;
}

/** What Node's cluster sends, and is answered (`lib/internal/cluster`). */
interface ClusterMessage {
  readonly cmd?: string;
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly accepted?: boolean;
}

/** Those that share the port. After the last of them Node closes it: whoever comes then opens it anew, with a set of their own. */
let sharing = new Set<Worker>();

/**
 * Follows the connections that are handed to a worker. Node's cluster forgets one that was under way to a worker when that died: it
 * stays open, and nobody ever answers it. What this gives hands those on to the others, as if the worker had declined them, or
 * closes them where there are none: of a port that is closed nobody would take them any more, whoever has opened it since.
 */
export function followConnections(worker: Worker): () => void {
  const underWay = new Map<number, Connection>();
  const channel = worker.process;
  const send = channel.send.bind(channel) as (...args: unknown[]) => boolean;
  /** Undefined as long as it does not listen: what it declines then is for the others, or for itself a moment later. */
  let fellows: Set<Worker> | undefined;
  channel.send = (...args: unknown[]) => {
    const [message, connection] = args as [ClusterMessage, Connection | undefined];
    if (message.act === 'newconn' && message.seq !== undefined && connection) underWay.set(message.seq, connection);
    return send(...args);
  };
  worker.once('listening', () => {
    fellows = sharing.add(worker);
  });
  function leave(): void {
    fellows?.delete(worker);
    if (sharing.size === 0) sharing = new Set();
  }
  worker.once('disconnect', leave);
  channel.on('internalMessage', ({ act, ack, accepted }: ClusterMessage) => {
    if (ack !== undefined) {
      // Declined by the last of them: Node would keep it for the next, which does not come.
      if (accepted === false && fellows?.size === 0) underWay.get(ack)?.close();
      underWay.delete(ack);
    }
    if (act === 'close') leave();
  });
  return () => {
    leave();
    for (const [ack, connection] of underWay) {
      if (fellows !== undefined && fellows.size > 0)
        channel.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: false });
      else connection.close();
    }
  };
}
