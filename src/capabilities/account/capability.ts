import type { Core } from '../../core/core.ts';
import { tooManyMails } from '../../core/users/change-refused.ts';
import { provedBy } from '../../core/users/held.ts';
import { defineCapability, defineOptional } from '../capability.ts';
import { createDeleteAccount } from './deletion.ts';
import { createChangeEmail } from './email.ts';
import { events, type OwnAccounts, type WithMail } from './events.ts';
import { createExportAccount } from './export.ts';
import { createFirstAdministrator } from './first-administrator.ts';
import { createAccountMails } from './mails.ts';
import { createChangePassword, createSetPassword } from './password.ts';
import { createResetPassword } from './reset-password.ts';
import { createOwnSessions } from './sessions.ts';
import { createFinishSignUp, createJoin, createSignUp, signUpPath } from './sign-up.ts';

const mailsOf = ({ users, tokens, outbox, hold, ports, baseUrl, now }: Core) =>
  createAccountMails(users, tokens, outbox, hold, ports.listOtherSignIns, baseUrl, now);

function requireMail(core: Core): WithMail {
  const { sentOutbox, mailer } = core;
  if (sentOutbox === undefined || mailer === undefined) throw new TypeError('this needs mail');
  return { ...core, sentOutbox, mailer };
}

function requireOwnAccounts(core: Core): OwnAccounts {
  const { registry, holdNew } = core;
  if (registry === undefined || holdNew === undefined) throw new TypeError('this needs accounts of our own');
  return { ...core, registry, holdNew };
}

/** The pages that each user has: the home page, the account, its sessions and tokens, and the language. */
const account = defineCapability({
  name: 'account',
  events,

  make(core: Core) {
    const ownSessions = createOwnSessions(core);
    return {
      parts: { ownSessions, exportAccount: createExportAccount(core, ownSessions) },
      mails: mailsOf(core).descriptions,
    };
  },

  async addRoutes(app, parts, options) {
    (await import('./home.routes.ts')).addHome(app, parts);
    (await import('./me.routes.ts')).addMe(app);
    (await import('./language.routes.ts')).addLanguage(app, parts, options);
    (await import('./account.routes.ts')).addAccount(app, parts);
    (await import('./sessions.routes.ts')).addSessions(app, parts);
    (await import('./tokens.routes.ts')).addTokens(app, parts);
  },
});

const signUp = defineOptional({
  name: 'sign-up',
  features: ({ settings, ownAccounts, mail }) => ({ signUp: mail && ownAccounts && settings.SIGN_UP === 'on' }),
  isEnabled: ({ signUp }) => signUp,
  make: (core: Core) => ({ parts: { signUp: createSignUp(requireMail(core)) }, signUpPath }),
  async addRoutes(app, parts, options) {
    (await import('./sign-up.routes.ts')).addSignUp(app, parts, options);
  },
});

/** Links by which many users join. They need no `SIGN_UP`. */
const join = defineOptional({
  name: 'join',
  isEnabled: ({ mail, ownAccounts }) => mail && ownAccounts,
  make: (core: Core) => ({ parts: { join: createJoin(requireMail(core)) } }),
  async addRoutes(app, parts) {
    (await import('./sign-up.routes.ts')).addJoin(app, parts);
  },
});

/** Changes that users make to an account in Janua's own table. */
const ownAccount = defineOptional({
  name: 'own-account',
  features: ({ ownAccounts }) => ({ ownAccounts }),
  isEnabled: ({ ownAccounts }) => ownAccounts,
  make(core: Core) {
    const own = requireOwnAccounts(core);
    const { mailer, sentOutbox, settings, ports, database: db } = core;
    const { createInvitationLink, findInvitation, isInvited } = mailsOf(core);
    return {
      parts: {
        finishSignUp: createFinishSignUp(own),
        firstAdministrator: createFirstAdministrator(own),
        deleteAccount: createDeleteAccount(own),
      },
      // An invitation lets a user without a password choose one. A user who signs in with another provider or a passkey needs none.
      findInvitation: async (account) =>
        (await ports.hasOtherSignIn(account.user, db))
          ? undefined
          : findInvitation({ account, user: account.user, db }),
      isInvited: sentOutbox && isInvited,
      createInvitationLink,
      admitInvitation:
        mailer &&
        (async (address, { caller, actorId = 'operator' }, userId) => {
          const causedBy = { userId: actorId };
          const mail = { purpose: 'invitation', address, userId, language: settings.LANGUAGE, causedBy };
          const permit = await mailer.admit(mail, caller);
          if (permit === undefined) throw tooManyMails();
          return async (invited, db) => {
            if (!(await permit(provedBy(invited), db))) throw tooManyMails();
          };
        }),
    };
  },
  async addRoutes(app, parts, options) {
    (await import('./sign-up.routes.ts')).addFinishSignUp(app, parts, options);
    (await import('./first-administrator.routes.ts')).addFirstAdministrator(app, parts);
    (await import('./profile.routes.ts')).addProfile(app, parts);
    (await import('./deletion.routes.ts')).addDeleteAccount(app, parts);
  },
});

const handle = defineOptional({
  name: 'handle',
  features: ({ settings }) => ({ ownHandles: settings.HANDLES === 'users' }),
  isEnabled: ({ ownHandles }) => ownHandles,
  async addRoutes(app, parts) {
    (await import('./handle.routes.ts')).addHandle(app, parts);
  },
});

const password = defineOptional({
  name: 'password',
  features: ({ settings, ownAccounts }) => ({ password: ownAccounts || settings.PASSWORD_REHASH === 'on' }),
  isEnabled: ({ password }) => password,
  make(core: Core) {
    return { parts: { changePassword: createChangePassword(core, createSetPassword(core)) } };
  },
  async addRoutes(app, parts) {
    (await import('./password.routes.ts')).addChangePassword(app, parts);
  },
});

const resetPassword = defineOptional({
  name: 'reset-password',
  isEnabled: ({ mail, password }) => mail && password,
  make(core: Core) {
    const resetPassword = createResetPassword(requireMail(core), createSetPassword(core));
    return {
      parts: { resetPassword },
      sendReset: (user, actor) => resetPassword.send(user, core.settings.LANGUAGE, actor),
    };
  },
  async addRoutes(app, parts, options) {
    (await import('./reset-password.routes.ts')).addResetPassword(app, parts, options);
  },
});

const changeEmail = defineOptional({
  name: 'change-email',
  isEnabled: ({ mail, ownAccounts }) => mail && ownAccounts,
  make(core: Core) {
    const { registry, holdNew } = requireOwnAccounts(core);
    const changeEmail = createChangeEmail({ ...requireMail(core), registry, holdNew });
    return {
      parts: { changeEmail },
      offerAddress: (account, address, actor) => changeEmail.offer(account, address, core.settings.LANGUAGE, actor),
    };
  },
  async addRoutes(app, parts) {
    (await import('./email.routes.ts')).addChangeEmail(app, parts);
  },
});

/** The capabilities by which users manage their own accounts. The settings and the table of users decide which of them are on. */
export const accounts = [account, signUp, join, ownAccount, handle, password, resetPassword, changeEmail] as const;
