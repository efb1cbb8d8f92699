import { findMailRoute } from '../../ground/config/mail-server.ts';
import type { Settings } from '../../ground/config/settings.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { textsInStored } from '../../ground/languages/speech.ts';
import type { Caller } from '../audit/event.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { MailDescription } from './description.ts';
import { createMailer, type MailerOptions } from './mailer.ts';
import { createMoreChanges, moreChanges } from './notice.ts';
import { createOutbox } from './outbox.ts';
import { createQueue } from './queue.ts';
import { createSender, type SenderOptions } from './sender.ts';
import { openTransport } from './transport.ts';

interface MailingOptions
  extends Pick<SenderOptions, 'audit' | 'log' | 'now' | 'onFailed' | 'onRecovered'>,
    Pick<MailerOptions, 'throttle'> {
  readonly settings: Settings;
  readonly opened: Pick<OpenDatabase, 'database' | 'engine'>;
  readonly users: Pick<UserDirectory, 'findById'>;
  /** The address of this server for browsers. */
  readonly baseUrl: () => string;
  /** Whether this process sends mail. Commands leave the sending to the server. */
  readonly sends: boolean;
}

/**
 * Creates the outbox, the mailer that adds to it, and the sender. Each capability adds the descriptions of its mails to `mails`, by
 * purpose.
 */
export function createMailing({ settings, sends, opened, users, baseUrl, ...options }: MailingOptions) {
  const { APP_NAME: appName, LANGUAGE: usual } = settings;
  const mails: Record<string, MailDescription> = { [moreChanges]: createMoreChanges(users, baseUrl) };
  const common = { ...options, ...opened, descriptions: mails };
  const outbox = createOutbox(common);
  const route = findMailRoute(settings);
  const sender = sends
    ? createSender({
        ...common,
        outbox,
        appName,
        findWords: (text, language) => textsInStored(language, usual).words.mails[text],
        openTransport: route && (() => openTransport(route)),
      })
    : undefined;
  const queue = createQueue({ ...common, onAdded: () => sender?.wake() });
  return {
    outbox,
    mailer: createMailer({ ...common, queue }),
    mail: sender,
    mails,
    /**
     * Makes the mails that were put off or given up due at once, and records it.
     * @param id of the mail. Undefined: all mails
     * @returns how many mails these are
     */
    async retryMails(
      id: string | undefined,
      actor: { readonly caller: Caller; readonly actorId?: string },
    ): Promise<number> {
      options.audit.requireAllowance({ kind: 'mail-retried', ...actor });
      return inTransaction(opened.database, async (db) => {
        const count = await outbox.retry(id, db);
        if (count > 0) await options.audit.recordIn(db, { kind: 'mail-retried', ...actor, count });
        return count;
      });
    },
  };
}
