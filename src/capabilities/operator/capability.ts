import type { AuditEvent } from '../../core/audit/event.ts';
import type { Core } from '../../core/core.ts';
import type { MailDescription } from '../../core/mail/description.ts';
import type { MailLimit } from '../../core/mail/limits.ts';
import type { OperatorNotice } from '../../core/ports.ts';
import { ownScopes } from '../../core/users/scopes.ts';
import { findBackupState } from '../../ground/database/kept-backups.ts';
import { claimLease } from '../../ground/database/lease.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { textsIn } from '../../ground/languages/speech.ts';
import { defineCapability } from '../capability.ts';
import { createAdministratorWatch, mergeNames } from './administrators.ts';
import { events } from './events.ts';

const day = 24 * 60 * 60 * 1000;

/** Milliseconds between two attempts to queue a notice, when a store cannot be reached. */
const retryInterval = 60_000;

/**
 * Events after which a user may have become an administrator, or may no longer be one. A user who becomes an administrator again is
 * reported again.
 */
const changing = new Set([
  ...['user-added', 'user-invited', 'users-imported', 'signed-up', 'user-enabled', 'email-changed', 'address-verified'],
  ...['user-groups-changed', 'group-changed', 'group-removed'],
]);

/** Mails the operator about faults of the server, and about new administrators. */
export const operator = defineCapability({
  name: 'operator',
  events,

  make(core: Core) {
    const { settings, mailer, database, opened, now, audit, log, users } = core;
    const { OPERATOR_MAIL: address, LANGUAGE: language } = settings;
    const mails = describeMails(address, language);
    if (address === undefined || mailer === undefined || !core.takesLogins) return { parts: {}, mails };

    /**
     * Queues at most one mail of each kind a day. Each new administrator is reported, even one who soon loses the rights again.
     * @returns whether a mail was queued
     */
    async function tell({ about, details = {} }: OperatorNotice): Promise<boolean> {
      const purpose = `operator-${about}`;
      const isTold = await inTransaction(database, async (db) => {
        if (about !== 'administrator-added' && !(await claimLease(db, purpose, now(), now() + day))) return false;
        const mail = { purpose, address: address ?? '', language, details, causedBy: { userId: 'operator' } };
        await mailer?.notify(mail, { route: 'operator' }, db);
        return true;
      });
      if (isTold) await audit.recordIfPossible({ kind: 'operator-told', reason: about, caller: { route: 'operator' } });
      return isTold;
    }

    /** Notices that are not queued yet, because a store cannot be reached, or this process has tried a moment ago. */
    const waiting = new Map<string, OperatorNotice>();
    /**
     * When this process last tried to queue each kind of notice. Each request may report the same fault, and must not cause a transaction
     * each time.
     */
    const triedAt = new Map<string, number>();
    let timer: NodeJS.Timeout | undefined;

    async function queueWaitingNotices(): Promise<void> {
      for (const [about, notice] of waiting) {
        waiting.delete(about);
        triedAt.set(about, now());
        await tell(notice).catch(() => waiting.set(about, notice));
      }
    }

    const administrators = createAdministratorWatch(core, (names) =>
      tell({ about: 'administrator-added', details: { names } }),
    );
    const look = (userId?: string) =>
      administrators.look(userId).catch((err: unknown) => {
        log.warn({ err }, 'new administrators could not be looked for');
      });

    async function lookAtColumn(userId: string): Promise<void> {
      const account = await users.findById(userId);
      if (account?.scopes.some((scope) => Object.hasOwn(ownScopes, scope))) await look(userId);
    }

    return {
      parts: {},
      mails,
      tellOperator(notice: OperatorNotice): void {
        waiting.set(notice.about, notice);
        if (now() - (triedAt.get(notice.about) ?? 0) >= retryInterval) void queueWaitingNotices();
      },
      onEvent({ kind, userId }: AuditEvent): void {
        if (changing.has(kind)) void look();
        // A column of a team's own table changes without an event.
        else if (kind === 'login-succeeded' && core.groupsInColumn && userId !== undefined)
          void lookAtColumn(userId).catch(() => {});
      },
      start(): void {
        void look();
        timer ??= setInterval(queueWaitingNotices, retryInterval).unref();
      },
      async clean(): Promise<void> {
        await look();
        const backups = await findBackupState(opened, now());
        if (backups?.fault === undefined) return;
        await tell({ about: 'backup-failed', details: { last: String(backups.succeededAt ?? '') } });
      },
      async close(): Promise<void> {
        clearInterval(timer);
      },
    };
  },
});

const addedPurpose = 'operator-administrator-added';

/** A user who becomes an administrator again and again causes at most two mails in ten minutes. */
const newAdministrators: MailLimit = {
  merged: {
    windowSeconds: 10 * 60,
    mergedPurpose: addedPurpose,
    collect: ({ names: former = '' } = {}, { names = '' }) => ({ names: mergeNames(former, names) }),
  },
};

/** Describes the mails to the operator. A waiting mail to a former `OPERATOR_MAIL` is dropped. */
function describeMails(operator: string | undefined, language: Core['settings']['LANGUAGE']) {
  const { utc, words } = textsIn(language);
  const time = (text = '') => (text === '' ? words.operator.never : utc.time(new Date(Number(text))));
  const valuesOf: Readonly<Record<OperatorNotice['about'], (details: Details) => Record<string, string>>> = {
    'mail-failed': ({ since, until }) => ({ since: time(since), until: time(until) }),
    'administrator-added': ({ names = '' }) => ({ names }),
    'backup-failed': ({ last }) => ({ last: time(last) }),
    'audit-lost': () => ({}),
    'key-unreadable': () => ({}),
  };
  const descriptions = Object.entries(valuesOf).map(([about, values]): [string, MailDescription] => [
    `operator-${about}`,
    {
      limit: about === 'administrator-added' ? newAdministrators : { daily: true },
      keepSeconds: (7 * day) / 1000,
      prepare: async ({ address: to, details }) =>
        to === operator ? { to, language, values: values(details) } : { dropped: 'outdated' },
    },
  ]);
  return Object.fromEntries(descriptions);
}

type Details = Readonly<Record<string, string>>;
