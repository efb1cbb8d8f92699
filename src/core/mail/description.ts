import type { MailWords } from '../../ground/languages/words.ts';
import type { events } from './events.ts';
import type { MailLimit } from './limits.ts';
import type { QueuedMail } from './outbox.ts';

/** The description of the mails of one purpose. The capability that causes the mails provides it. */
export interface MailDescription {
  /** How many mails of the purpose are sent. */
  readonly limit: MailLimit;
  /** How long Janua tries to send a mail before it gives the mail up, in seconds. */
  readonly keepSeconds: number;
  /** Looks up the account and makes the one-time token, just before each attempt. So no stored mail contains a link. */
  prepare(mail: QueuedMail): Promise<PreparedMail | DroppedMail>;
}

/** A mail that can be sent now. */
export interface PreparedMail {
  /** The key of its texts, if that is not the purpose. */
  readonly textKey?: string | undefined;
  readonly to: string;
  readonly name?: string | undefined;
  readonly language: string;
  /** The values for the placeholders in its texts, besides `app`. */
  readonly values: Readonly<Record<string, string>>;
  /** The address that its button opens. */
  readonly link?: string | undefined;
  /** The user, for the audit log, if the row does not contain the id. */
  readonly userId?: string | undefined;
}

/** A mail that is not sent. Its row is removed. */
export interface DroppedMail {
  readonly dropped: keyof (typeof events)['mail-not-sent']['reasons'];
  readonly userId?: string | undefined;
}

/** Finds the texts of a mail by their key. */
export type FindMailWords = (key: string, language: string) => MailWords | undefined;
