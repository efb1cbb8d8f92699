import { createRequestMail } from '../../core/mail/request-mail.ts';
import { createDeleteAccount } from './deletion.ts';
import { createChangeEmail } from './email.ts';
import { createExportAccount } from './export.ts';
import type { AccountOptions, AccountRouteParts } from './options.ts';
import { createChangePassword, createSetPassword } from './password.ts';
import { createResetPassword } from './reset-password.ts';
import { createOwnSessions } from './sessions.ts';
import { createFinishSignUp, createSignUp } from './sign-up.ts';

/** What users manage themselves. Parts that need mail or our own table of users are undefined without. */
export function createAccountParts(options: AccountOptions) {
  const { registry, holdNew, outbox, throttle, audit } = options;
  const setPassword = createSetPassword(options);
  const ownSessions = createOwnSessions(options);
  const own = registry && holdNew && { ...options, registry, holdNew };
  const mailing = outbox && { ...options, outbox, requestMail: createRequestMail({ outbox, throttle, audit }) };
  return {
    ownSessions,
    changePassword: createChangePassword(options, setPassword),
    exportAccount: createExportAccount(options, ownSessions),
    deleteAccount: own && createDeleteAccount(own),
    resetPassword: mailing && createResetPassword(mailing, setPassword),
    signUp: own && mailing && createSignUp(mailing),
    finishSignUp: own && createFinishSignUp(own),
    changeEmail:
      own && mailing && createChangeEmail({ ...own, outbox: mailing.outbox, requestMail: mailing.requestMail }),
  };
}

type Created = ReturnType<typeof createAccountParts>;

/** What the routes work with. Each route is added only where its part is there. */
export type AccountParts = AccountRouteParts & { readonly [Name in keyof Created]-?: NonNullable<Created[Name]> };
