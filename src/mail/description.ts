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
  readonly to: string;
  readonly name?: string | undefined;
  readonly language: string;
  /** For the placeholders in its text. */
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

/** The text of a mail, in its language and with its values. */
export interface MailText {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  /** The text of the button, if the mail has a link. */
  readonly action?: string | undefined;
  /** Paragraphs after the button. */
  readonly after?: readonly string[] | undefined;
}

/** Gives the text of a purpose, with `{name}` replaced by the value of that name. */
export type FindMailText = (purpose: string, language: string, values: Readonly<Record<string, string>>) => MailText;
