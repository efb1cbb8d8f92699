import type { events } from './events.ts';
import type { QueuedMail } from './outbox.ts';

/** What the capability behind a purpose knows about its mails. */
export interface MailDescription {
  /** How long a mail is tried before it is given up. */
  readonly keepSeconds: number;
  /** Looks the account up and makes the one-time token, just before each attempt. So no link lies in the database. */
  prepare(mail: QueuedMail): Promise<PreparedMail | DroppedMail>;
}

/** A mail that can be sent now. */
export interface PreparedMail {
  /** The key of its text, if that is not the purpose. */
  readonly text?: string | undefined;
  readonly to: string;
  readonly name?: string | undefined;
  readonly language: string;
  /** For the places in its text, besides `app`. */
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

/** The words of a mail in one language. `{name}` stands for a value. */
export interface MailWords {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  /** The text of the button, if the mail has a link. */
  readonly action?: string | undefined;
  /** Paragraphs after the button. */
  readonly after?: readonly string[] | undefined;
}

/** Gives the words by the key of the text. */
export type FindMailWords = (text: string, language: string) => MailWords | undefined;
