import type { MailWords } from '../../ground/languages/mail-words.ts';
import type { events } from './events.ts';
import type { MailLimit } from './limits.ts';
import type { QueuedMail } from './outbox.ts';

/** The description of the mails of one purpose, by the capability that causes them. */
export interface MailDescription {
  /** How many go out. */
  readonly limit: MailLimit;
  /** How long a mail is tried before it is given up. */
  readonly keepSeconds: number;
  /** Looks the account up and makes the one-time token, just before each attempt. So no mail that waits holds a link. */
  prepare(mail: QueuedMail): Promise<PreparedMail | DroppedMail>;
}

/** A mail that can be sent now. */
export interface PreparedMail {
  /** The key of its words, if that is not the purpose. */
  readonly wordsOf?: string | undefined;
  readonly to: string;
  readonly name?: string | undefined;
  readonly language: string;
  /** For the places in its words, besides `app`. */
  readonly values: Readonly<Record<string, string>>;
  /** Where its button leads. */
  readonly link?: string | undefined;
  /** The user, for the audit, if the row does not have it. */
  readonly userId?: string | undefined;
}

/** A mail that is not sent. Its row is removed. */
export interface DroppedMail {
  readonly dropped: keyof (typeof events)['mail-not-sent']['reasons'];
  readonly userId?: string | undefined;
}

/** Gives the words of a mail by their key. */
export type FindMailWords = (key: string, language: string) => MailWords | undefined;
