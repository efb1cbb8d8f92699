import type { Services } from '../../../src/compose.ts';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import type { FindMailWords, MailDescription } from '../../../src/core/mail/description.ts';
import { createOutbox } from '../../../src/core/mail/outbox.ts';
import { createQueue, type NewMail } from '../../../src/core/mail/queue.ts';
import { createSender } from '../../../src/core/mail/sender.ts';
import { openTransport } from '../../../src/core/mail/transport.ts';
import { parseMailUrl } from '../../../src/ground/config/mail-server.ts';
import type { Log } from '../../../src/ground/faults/log.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import type { UserEngine } from '../../stores.ts';

export const from = { name: 'Example', address: 'no-reply@example.com' };

/** The link of the mails, whose token is a secret. */
export const link = `https://auth.example.com/auth/reset-password?token=${'t0'.repeat(21)}A`;

const limit = { counted: [] } as const;

/** Mails that need no account. */
export const descriptions: Readonly<Record<string, MailDescription>> = {
  greeting: {
    limit,
    keepSeconds: 1800,
    prepare: async ({ address, language, details }) => ({ to: address, language, values: details, link }),
  },
  unwanted: { limit, keepSeconds: 1800, prepare: async () => ({ dropped: 'no-account', userId: 'user-1' }) },
  broken: {
    limit,
    keepSeconds: 1800,
    prepare: async () => {
      throw new TypeError('this mail cannot be prepared');
    },
  },
};

const words = {
  subject: 'Hello {name}',
  paragraphs: ['Dear {name},', 'here is your link.'],
  action: 'Open',
  after: ['Bye'],
};

/** Adds mails without a limit. */
export const queueOf = ({ database, mails, mail, now }: Pick<Services, 'database' | 'mails' | 'mail' | 'now'>) =>
  createQueue({ database, descriptions: mails, now, onAdded: () => mail?.wake() });

/** A mail for `queue.add`. */
export const greeting = (address: string, changes: Partial<NewMail> = {}): NewMail => ({
  purpose: 'greeting',
  address,
  language: 'en',
  details: { name: 'Ann' },
  ...changes,
});

export interface OfficeOptions {
  readonly engine?: UserEngine;
  /** Instead of a new database. */
  readonly opened?: TestDatabase;
  /** Without it, the demo's mailbox keeps the mails. */
  readonly mailUrl?: string;
  readonly others?: Readonly<Record<string, MailDescription>>;
  readonly lookInterval?: number;
  /** Without it, every mail has the same words. */
  readonly findWords?: FindMailWords;
}

/** An outbox and its sender, on a database of their own. */
export async function openOffice({ engine, opened: given, mailUrl, others, lookInterval, ...own }: OfficeOptions = {}) {
  const { findWords = () => words } = own;
  const opened = given ?? (await openMigrated(engine));
  const { database } = opened;
  const events: AuditEvent[] = [];
  const lines: (object & { level: string })[] = [];
  const failures: string[] = [];
  let shift = 0;
  const now = () => Date.now() + shift;
  const write = (level: string) => (details: object) => void lines.push({ level, ...details });
  const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  const all = { ...descriptions, ...others };
  const server = mailUrl === undefined ? undefined : parseMailUrl(mailUrl);
  const queue = createQueue({ database, descriptions: all, now, onAdded: () => sender.wake() });
  const outbox = createOutbox({ database, descriptions: all, now });
  const sender = createSender({
    ...{ database, outbox, descriptions: all, findWords, appName: 'Example', log, now },
    audit: {
      record: async () => {},
      requireAllowance: () => {},
      recordIn: async () => {},
      async recordIfPossible(event) {
        events.push(event);
      },
      digestName: (name) => name,
    },
    openTransport: server && (() => openTransport({ server, from })),
    onFailed: (why) => failures.push(why),
    ...(lookInterval !== undefined && { lookInterval }),
  });
  return {
    opened,
    database,
    outbox: { ...outbox, add: queue.add },
    sender,
    events,
    /** The lines of the log. */
    lines,
    /** What became of each failed attempt. */
    failures,
    now,
    /** Moves the clock forward. */
    pass(seconds: number) {
      shift += seconds * 1000;
    },
    listed: () => Array.fromAsync(outbox.list()),
    async [Symbol.asyncDispose]() {
      await sender.close();
      if (given === undefined) await opened[Symbol.asyncDispose]();
    },
  };
}
