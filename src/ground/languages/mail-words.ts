/** A mail: its subject, the paragraphs before and after the button, and the text of the button. */
export interface MailWords {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  readonly action?: string;
  readonly after?: readonly string[];
}
