import { fileURLToPath } from 'node:url';
import { withOwnCommand } from '../../ground/config/own-command.ts';
import { interpolate } from '../../ground/languages/languages.ts';
import type { MailWords } from '../../ground/languages/words.ts';
import { printable } from '../../ground/text/printable.ts';

/** A mail without its recipient. */
export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface Frame {
  readonly appName: string;
  readonly language: string;
  readonly values: Readonly<Record<string, string>>;
  readonly link?: string | undefined;
}

/** Renders a mail in the frame of all mails. Every value is escaped in the HTML, and no value can break a line. */
export type RenderMail = (words: MailWords, frame: Frame) => RenderedMail;

/** Loads the library with the first mail, because it would make every start slower. */
export async function loadRenderer(): Promise<RenderMail> {
  const { Eta } = await import('eta');
  const eta = new Eta({ views: fileURLToPath(new URL('.', import.meta.url)), cache: true, autoTrim: [false, 'nl'] });
  return (words, frame) => {
    const model = createModel(words, frame);
    const [text, html] = [eta.render('/mail.text.eta', model), eta.render('/mail.html.eta', model)];
    return { subject: model.subject, text, html };
  };
}

/** The model of both templates. @public */
export type MailModel = ReturnType<typeof createModel>;

function createModel(
  { subject, paragraphs, action = '', after = [] }: MailWords,
  { appName, language, values, link }: Frame,
) {
  const say = (text: string) => printable(interpolate(withOwnCommand(text), { app: appName, ...values }));
  const shown = { paragraphs: paragraphs.map(say), action: say(action), after: after.map(say) };
  return {
    ...shown,
    app: printable(appName),
    language,
    link,
    subject: say(subject),
    /** The link has a line of its own, after the paragraph that introduces it. */
    text: [...shown.paragraphs.map(wrap), ...(link === undefined ? [] : [link]), ...shown.after.map(wrap)].join('\n\n'),
  };
}

/**
 * Breaks a paragraph into lines of at most 72 characters (RFC 3676 4.2 recommends up to 78). A longer word, such as an address, stays
 * whole.
 */
const wrap = (paragraph: string): string => paragraph.replaceAll(/(.{1,72}|\S+)(?: |$)/g, '$1\n').trimEnd();
