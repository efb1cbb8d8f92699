import type { Events } from '../audit/event.ts';

const mailAdvice = 'If no event of the mail follows, it still waits: janua mail list.';

export const events = {
  'token-made': {
    vocabulary: 'authn_token_created',
    by: 'account-holder',
    level: 'info',
    words: 'The user made a personal access token',
  },
  'token-ended': {
    vocabulary: 'authn_token_revoked',
    by: 'account-holder',
    level: 'info',
    words: 'The user ended a personal access token',
  },
  'sign-up-requested': {
    vocabulary: 'user_created',
    by: 'anyone',
    level: 'info',
    words: 'A client asked to sign up: a mail goes to the address',
    advise: () => [mailAdvice],
  },
  'signed-up': {
    vocabulary: 'user_created',
    by: 'account-holder',
    level: 'info',
    words: 'The owner of an address created an account',
  },
  'reset-requested': {
    vocabulary: 'authn_password_change',
    by: 'anyone',
    level: 'info',
    words: 'A client asked for a new password: a mail goes to the address, if it belongs to an account',
    advise: () => [mailAdvice],
  },
  'password-reset': {
    vocabulary: 'authn_password_change',
    by: 'account-holder',
    level: 'info',
    words: 'The user set a new password by a link in a mail, which ended all sessions',
  },
  'password-changed': {
    vocabulary: 'authn_password_change',
    by: 'account-holder',
    level: 'info',
    words: 'The user changed the password, which ended all other sessions',
  },
  'profile-changed': {
    vocabulary: 'user_updated',
    by: 'account-holder',
    level: 'info',
    words: 'The user changed their name',
  },
  'language-changed': {
    vocabulary: 'user_updated',
    by: 'account-holder',
    level: 'info',
    words: 'The user chose a language for pages and mails',
  },
  'email-change-requested': {
    vocabulary: 'user_updated',
    by: 'account-holder',
    level: 'info',
    words: 'The user asked for another address: a link goes to the new one, a notice to the old one',
    advise: () => [mailAdvice],
  },
  'email-changed': {
    vocabulary: 'user_updated',
    by: 'account-holder',
    level: 'info',
    words: 'The owner of the new address confirmed it: the account has this address now',
  },
  'account-deleted': {
    vocabulary: 'user_deleted',
    by: 'account-holder',
    level: 'warn',
    words: 'The user deleted the account, which ended all sessions',
  },
  'account-exported': {
    vocabulary: 'sensitive_read',
    by: 'account-holder',
    level: 'info',
    words: 'The user exported what Janua stores about them',
  },
} as const satisfies Events;
