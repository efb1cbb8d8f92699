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
}

/**
 * Follows the connections that are handed to a worker. Node's cluster forgets one that was under way to a worker when that died: it
 * stays open, and nobody ever answers it. What this gives hands those on to the others, as if the worker had declined them, or
 * closes them where there are none.
 */
export function followConnections({ process: worker }: Worker): (hasOthers: boolean) => void {
  const underWay = new Map<number, Connection>();
  const send = worker.send.bind(worker) as (...args: unknown[]) => boolean;
  worker.send = (...args: unknown[]) => {
    const [message, connection] = args as [ClusterMessage, Connection | undefined];
    if (message.act === 'newconn' && message.seq !== undefined && connection) underWay.set(message.seq, connection);
    return send(...args);
  };
  worker.on('internalMessage', ({ ack }: ClusterMessage) => {
    if (ack !== undefined) underWay.delete(ack);
  });
  return (hasOthers) => {
    for (const [ack, connection] of underWay) {
      if (hasOthers) worker.emit('internalMessage', { cmd: 'NODE_CLUSTER', ack, accepted: false });
      else connection.close();
    }
  };
}
