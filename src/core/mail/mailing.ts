import { findMailRoute } from '../../ground/config/mail-server.ts';
import type { Settings } from '../../ground/config/settings.ts';
import { speakStored } from '../../ground/languages/speech.ts';
import type { MailDescription } from './description.ts';
import { createOutbox } from './outbox.ts';
import { createSender, type SenderOptions } from './sender.ts';
import { openTransport } from './transport.ts';

interface MailingOptions
  extends Pick<SenderOptions, 'database' | 'audit' | 'log' | 'now' | 'onFailed' | 'onRecovered'> {
  readonly settings: Settings;
  /** Whether this process sends. Commands leave that to the server. */
  readonly sends: boolean;
}

/** The outbox and its sender. Each capability adds the descriptions of its mails to `mails`, by purpose. */
export function createMailing({ settings, sends, ...options }: MailingOptions) {
  const { APP_NAME: appName, LANGUAGE: usual } = settings;
  const mails: Record<string, MailDescription> = {};
  const { database, now } = options;
  const outbox = createOutbox({ database, descriptions: mails, now, onAdded: () => sender?.wake() });
  const route = findMailRoute(settings);
  const sender = sends
    ? createSender({
        ...options,
        outbox,
        descriptions: mails,
        appName,
        findWords: (text, language) => speakStored(language, usual).words.mails[text],
        openTransport: route && (() => openTransport(route)),
      })
    : undefined;
  return { outbox, mail: sender, mails };
}
