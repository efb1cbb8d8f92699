import type { Core } from '../../core/core.ts';
import { defineCapability } from '../capability.ts';
import { createConfirm } from './confirm.ts';
import { events } from './events.ts';
import { createLogIn } from './log-in.ts';
import { createLogOut } from './log-out.ts';
import { createNoticeSignIn, describeNewSignIn } from './new-sign-in.ts';
import { createAttemptPassword } from './password-attempt.ts';

/** The only capability that cannot be left out. */
export const signIn = defineCapability({
  name: 'sign-in',
  events,

  make(core: Core) {
    const { settings, ports, access, sessions, audit, users, now, mailer } = core;
    const { factors, isProved, providersOf } = ports;
    const attemptPassword = createAttemptPassword({
      ...core,
      failureFloor: core.overrides.failureFloor,
      needsSecondFactor: async (account) =>
        (await factors.isDemanded(account)) || (await factors.methodsOf(account)).length > 0,
    });
    const maxAgeSeconds = settings.REAUTHENTICATION_SECONDS;
    const { methodsOf, checkFactor } = factors;
    const proving = { attemptPassword, methodsOf, checkFactor, isProved, providersOf, maxAgeSeconds };
    const { confirm, ...proofs } = createConfirm({ ...core, ...proving });
    const { logOut, endSession } = createLogOut(access, sessions, audit);
    const noticeSignIn =
      mailer && settings.LOGIN_NOTICES === 'on' ? createNoticeSignIn(sessions, mailer, now) : undefined;
    return {
      parts: { logIn: createLogIn({ ...core, attemptPassword }), logOut, confirm },
      signIn: { ...proofs, logOut, endSession, noticeSignIn },
      mails: { 'new-sign-in': describeNewSignIn(users, core.baseUrl) },
    };
  },

  async addRoutes(app, parts, options) {
    (await import('./log-in.routes.ts')).addLogIn(app, parts, options);
    (await import('./log-out.routes.ts')).addLogOut(app, parts, options);
    (await import('./confirm.routes.ts')).addConfirm(app, parts);
  },
});
