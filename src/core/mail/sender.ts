import type { Database } from '../../ground/database/database.ts';
import { createLeasedWork } from '../../ground/database/leased-work.ts';
import type { Log } from '../../ground/faults/log.ts';
import { createStoreWatch } from '../../ground/faults/store-watch.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { createDeliver, type Deliver, type DeliverOptions } from './deliver.ts';
import { createOutages } from './outages.ts';
import type { QueuedMail } from './outbox.ts';
import { connections, type Transport } from './transport.ts';

export interface SenderOptions extends DeliverOptions {
  readonly database: Database;
  /** Undefined in the demo, whose mailbox keeps the mail. */
  readonly openTransport: (() => Promise<Transport>) | undefined;
  readonly log: Log;
  /** Called once the mail server takes mail again. @param since when it began to fail, in milliseconds since 1970 */
  readonly onRecovered?: ((since: number) => void) | undefined;
  /** Milliseconds between two checks for mail that another process added or that is due again. */
  readonly lookInterval?: number;
}

/** The pause after the mail server failed, in milliseconds. Each further pause is twice as long, up to the longest. */
const firstServerPause = 1_000;
const longestServerPause = 60_000;

/** How many expired mails are given up at the same time. */
const expiredAtOnce = 50;

/** How long `close` waits for the mails under way, in milliseconds. */
const closingMilliseconds = 5_000;

const mailServer = 'The mail server';

/**
 * Sends the mails in the outbox. Only one process sends at a time. If that process crashes or hangs, another process takes over within 15
 * seconds. A crash may send a mail twice, but loses none.
 */
export function createSender(options: SenderOptions) {
  const { database, outbox, openTransport, now, log, lookInterval = 2_000 } = options;
  const watch = createStoreWatch(mailServer, log);
  const noted = createOutages(options);
  const cutOff = new AbortController();
  let deliver: Promise<Deliver> | undefined;
  /** How often the mail server has failed since it last took a mail. */
  let outages = 0;

  const sending = createLeasedWork({
    database,
    name: 'mail',
    lookInterval,
    hasDue: outbox.hasDue,
    work: sendAll,
    now,
    onFault: (error) => log.error({ event: 'mail_failed', err: error }, 'mail could not be sent'),
  });

  /** Sends until no mail is due. */
  async function sendAll(mayGoOn: () => boolean): Promise<void> {
    await using closing = new AsyncDisposableStack();
    noted.begin();
    const transport = await openTransport?.();
    closing.defer(() => transport?.close());
    const attempt = { transport, signal: cutOff.signal, mayGoOn, reportServer };
    deliver ??= createDeliver(options);
    const send = await deliver;
    const sendFound = async (find: () => Promise<readonly QueuedMail[]>) => {
      while (mayGoOn()) {
        const mails = await find();
        if (mails.length === 0) return;
        const ends = await Promise.allSettled(mails.map((mail) => send(mail, attempt)));
        for (const end of ends) if (end.status === 'rejected') throw end.reason;
      }
    };
    // Expired mails come first, so that they are given up even if the mail server takes no mail.
    await sendFound(() => outbox.findExpired(expiredAtOnce));
    await sendFound(() => outbox.findDue(connections));
  }

  async function reportServer(failure?: string): Promise<void> {
    if (failure === undefined) {
      outages = 0;
      watch.succeeded('write');
      await noted.succeeded();
    } else if (!sending.isPaused()) {
      const pause = Math.min(firstServerPause * 2 ** outages, longestServerPause);
      sending.pauseFor(pause);
      outages += 1;
      watch.failed('write', new Unavailable(mailServer, pause / 1000, new Error(failure)));
      await noted.failed();
    }
  }

  return {
    /** Starts sending. Earlier calls of `wake` do nothing, because the address in the links may be unknown until then. */
    start: sending.start,
    /** Checks for mail at once. */
    wake: sending.look,
    /** Resolves when no mail is due, the mail server takes none, or another process sends. */
    settled: sending.settled,
    /** Waits some seconds for the mails that are being sent, and then aborts them. The other mails stay in the outbox. */
    close: (): Promise<void> =>
      sending.close(closingMilliseconds, (end) => {
        cutOff.abort();
        return end;
      }),
  };
}
