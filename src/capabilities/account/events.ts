import type { Advice, Events } from '../../core/audit/event.ts';
import type { CoreWith } from '../../core/core.ts';
import type { events as mailEvents } from '../../core/mail/events.ts';
import type { Mailer } from '../../core/mail/mailer.ts';
import type { Outbox } from '../../core/mail/outbox.ts';
import type { events as sessionEvents } from '../../core/sessions/events.ts';
import type { events as linkEvents } from '../../core/tokens/events.ts';
import type { HoldNew } from '../../core/users/held.ts';
import type { UserRegistry } from '../../core/users/user-directory.ts';

const byOwner = { by: 'account-holder', level: 'info' } as const;
const updated = { ...byOwner, vocabulary: 'user_updated' } as const;
const newPassword = { ...byOwner, vocabulary: 'authn_password_change' } as const;

/** The request for a mail, which any client can make. */
const requested = {
  by: 'anyone',
  level: 'info',
  advise: (): Advice[] => ['If no event of the mail follows, it still waits: janua mail list.'],
} as const;

export const events = {
  'token-made': {
    isChange: true,
    ...byOwner,
    vocabulary: 'authn_token_created',
    words: 'The user made a personal access token',
  },
  'token-ended': {
    isChange: true,
    isNeverRefused: true,
    ...byOwner,
    vocabulary: 'authn_token_revoked',
    words: 'The user ended a personal access token',
  },
  'sign-up-requested': {
    ...requested,
    vocabulary: 'user_created',
    words: 'A client asked to sign up: a mail goes to the address',
  },
  'signed-up': {
    isChange: true,
    isNeverRefused: true,
    ...byOwner,
    vocabulary: 'user_created',
    words: 'The owner of an address created an account',
  },
  'first-administrator-added': {
    isChange: true,
    isNeverRefused: true,
    by: 'operator',
    level: 'warn',
    vocabulary: 'user_created',
    words: 'The link in the log of the server made the first administrator',
  },
  'reset-requested': {
    ...requested,
    vocabulary: 'authn_password_change',
    words: 'A client asked for a new password: a mail goes to the address, if it belongs to an account',
  },
  'password-reset': {
    isChange: true,
    isNeverRefused: true,
    ...newPassword,
    words: 'The user set a new password by a link in a mail, which ended all sessions',
  },
  'password-changed': {
    isChange: true,
    isNeverRefused: true,
    ...newPassword,
    words: 'The user changed the password, which ended all other sessions',
  },
  'profile-changed': { isChange: true, ...updated, words: 'The user changed their name' },
  'handle-chosen': { isChange: true, ...updated, words: 'The user chose a handle, with which they can sign in' },
  'language-changed': { isChange: true, ...updated, words: 'The user chose a language for pages and mails' },
  'email-change-requested': {
    ...updated,
    words: 'The user asked for another address: a link goes to the new one, a notice to the old one',
    advise: requested.advise,
  },
  'email-changed': {
    isChange: true,
    isNeverRefused: true,
    ...updated,
    words: 'The owner of the new address confirmed it: the account has this address now',
  },
  'account-deleted': {
    isChange: true,
    isNeverRefused: true,
    ...byOwner,
    vocabulary: 'user_deleted',
    level: 'warn',
    words: 'The user deleted the account, which ended all sessions',
  },
  'account-exported': {
    ...byOwner,
    vocabulary: 'sensitive_read',
    words: 'The user exported what Janua stores about them',
  },
} as const satisfies Events;

export type AccountCore = CoreWith<typeof events & typeof linkEvents & typeof mailEvents & typeof sessionEvents>;

/** The core of a server that sends mail. */
export type WithMail = AccountCore & { readonly sentOutbox: Outbox; readonly mailer: Mailer };

/** The core of a server whose accounts are in Janua's own table. */
export type OwnAccounts = AccountCore & { readonly registry: UserRegistry; readonly holdNew: HoldNew };
