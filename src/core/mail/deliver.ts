import type { Log } from '../../ground/faults/log.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { isMailAddress } from '../../ground/text/mail-address.ts';
import { printable } from '../../ground/text/printable.ts';
import type { AuditOf } from '../audit/audit.ts';
import { AccountChanged } from '../users/held.ts';
import type { DroppedMail, FindMailWords, MailDescription, PreparedMail } from './description.ts';
import type { events } from './events.ts';
import type { Outbox, QueuedMail } from './outbox.ts';
import { loadRenderer, type RenderedMail } from './render.ts';
import type { Transport } from './transport.ts';

export interface DeliverOptions {
  readonly outbox: Outbox;
  /** By purpose. */
  readonly descriptions: Readonly<Record<string, MailDescription>>;
  readonly findWords: FindMailWords;
  readonly appName: string;
  readonly audit: AuditOf<typeof events>;
  readonly log: Pick<Log, 'error'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /**
   * Called after each failed attempt. `put_off`: this mail is tried again later. `given_up`: it is not. `server`: the server takes no mail.
   */
  readonly onFailed?: ((why: 'put_off' | 'given_up' | 'server') => void) | undefined;
}

export interface Attempt {
  /** Undefined in the demo, whose mailbox keeps the mail. */
  readonly transport: Transport | undefined;
  readonly signal: AbortSignal;
  /** Tells whether this process may still send. False during a pause, after `close`, and without the lease. */
  mayGoOn(): boolean;
  /** Called without a failure if the mail server took the mail, with one if it takes no mail at all. Not for the refusal of one mail. */
  reportServer(failure?: string): Promise<void>;
}

/** A mail with its recipient and its text. */
type ReadyMail = PreparedMail & RenderedMail;

/** The pause after the first refusal of a mail, in milliseconds. Each further pause is twice as long, up to the longest. */
const firstMailPause = 5_000;
const longestMailPause = 60 * 60 * 1000;

/** Makes one attempt to send a mail, and stores and records the result. @throws {Unavailable} when a store cannot be reached */
export type Deliver = (mail: QueuedMail, attempt: Attempt) => Promise<void>;

export async function createDeliver(options: DeliverOptions): Promise<Deliver> {
  const { outbox, descriptions, findWords, appName, audit, log, now, onFailed = () => {} } = options;
  const render = await loadRenderer();

  /**
   * Records the result under the id of the request that caused the mail, so that `janua explain` shows it.
   * @param reason why the mail was not sent. Undefined if it was
   */
  function record({ requestId, userId }: QueuedMail, reason?: DroppedMail['dropped'], user = userId): Promise<void> {
    const event =
      reason === undefined ? ({ kind: 'mail-sent' } as const) : ({ kind: 'mail-not-sent', reason } as const);
    return audit.recordIfPossible({ ...event, userId: user, caller: { route: 'mail', requestId } });
  }

  async function giveUp(mail: QueuedMail, reason: DroppedMail['dropped'], failure = mail.failure): Promise<void> {
    await outbox.giveUp(mail.id, failure ?? reason);
    onFailed('given_up');
    await record(mail, reason);
  }

  async function putOff(mail: QueuedMail, failure: string): Promise<void> {
    const pause = Math.min(firstMailPause * 2 ** mail.attempts, longestMailPause);
    await outbox.putOff(mail, pause, mail.attempts + 1, failure);
    onFailed('put_off');
  }

  /**
   * Moves a mail behind the next mails of other accounts and networks, so that a mail which breaks the connection does not hold them up.
   */
  async function requeue(mail: QueuedMail, failure: string): Promise<void> {
    await outbox.putOff(mail, 0, mail.attempts, failure);
    onFailed('server');
  }

  async function prepare(mail: QueuedMail): Promise<ReadyMail | DroppedMail> {
    const { purpose } = mail;
    const description = descriptions[purpose];
    // A newer or an older version added the row.
    if (description === undefined) throw new TypeError(`this version knows no mail ${purpose}`);
    const prepared = await description.prepare(mail).catch((error: unknown): DroppedMail => {
      if (error instanceof AccountChanged) return { dropped: 'outdated', userId: mail.userId };
      throw error;
    });
    if ('dropped' in prepared) return prepared;
    const { textKey = purpose, to, language, values, link, userId } = prepared;
    if (!isMailAddress(to)) return { dropped: 'not-one-address', userId };
    const words = findWords(textKey, language);
    if (words === undefined) throw new TypeError(`there are no words for the mail ${textKey}`);
    return { ...prepared, ...render(words, { appName, language, values, link }) };
  }

  async function send(mail: QueuedMail, ready: ReadyMail, transport: Transport, attempt: Attempt): Promise<void> {
    const { to: address, name = '', userId, subject, text, html } = ready;
    const to = { name: printable(name), address };
    const message = { subject, text, html, id: mail.id, to, date: new Date(mail.createdAt) };
    const { kind, reason = '' } = (await transport.send(message, attempt.signal)) ?? {};
    if (kind === 'mail-for-good') return giveUp(mail, 'refused-by-server', reason);
    if (kind === 'mail') return putOff(mail, reason);
    await attempt.reportServer(kind && reason);
    if (kind === 'server') return requeue(mail, reason);
    await outbox.remove(mail.id);
    return record(mail, undefined, userId);
  }

  return async (waiting, attempt) => {
    if (waiting.expiresAt <= now()) return giveUp(waiting, 'expired');
    const isNotice = 'merged' in (descriptions[waiting.purpose]?.limit ?? {});
    const mail = isNotice ? await outbox.closeWindow(waiting) : waiting;
    let ready: ReadyMail | DroppedMail;
    try {
      ready = await prepare(mail);
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      log.error({ event: 'mail_unprepared', err: error, purpose: mail.purpose }, 'a mail could not be prepared');
      return putOff(mail, 'unexpected error; see the log');
    }
    if (!attempt.mayGoOn()) return;
    if ('dropped' in ready) {
      await outbox.remove(mail.id);
      return record(mail, ready.dropped, ready.userId);
    }
    if (attempt.transport !== undefined) return send(mail, ready, attempt.transport, attempt);
    const { to, link, subject, text, html, userId } = ready;
    await outbox.keep({ id: mail.id, to, link, subject, text, html });
    return record(mail, undefined, userId);
  };
}
