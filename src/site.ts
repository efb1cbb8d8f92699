import { events as accessEvents } from './access/events.ts';
import type { LanguageOptions, LanguageParts } from './account/language.routes.ts';
import { events as auditEvents } from './audit/audit.ts';
import { events as commandEvents } from './commands/events.ts';
import type { ForwardAuthOptions, ForwardAuthParts } from './forward-auth/verify.routes.ts';
import { events as mailEvents } from './mail/events.ts';
import type { MailboxOptions } from './mail/mailbox.routes.ts';
import { events as sessionEvents } from './sessions/events.ts';
import { createAnswerLogin } from './sign-in/answer-login.ts';
import type { ConfirmParts } from './sign-in/confirm.routes.ts';
import { events as signInEvents } from './sign-in/events.ts';
import type { LogInParts, LogInRouteOptions } from './sign-in/log-in.routes.ts';
import type { LogOutParts } from './sign-in/log-out.routes.ts';
import { events as userEvents } from './users/events.ts';
import { events as webEvents } from './web/events.ts';
import type { FlowOptions } from './web/flow-options.ts';
import type { App } from './web/types.ts';

/** Adds all capabilities, in a good order for reading. */
export async function addSite(app: App, parts: () => Parts, options: CapabilityOptions): Promise<void> {
  const answerLogin = createAnswerLogin(() => parts().knownBrowsers);
  (await import('./sign-in/log-in.routes.ts')).addLogIn(app, parts, { ...options, answerLogin });
  (await import('./sign-in/log-out.routes.ts')).addLogOut(app, parts);
  (await import('./sign-in/confirm.routes.ts')).addConfirm(app, parts, { answerLogin });
  (await import('./account/home.routes.ts')).addHome(app);
  (await import('./account/me.routes.ts')).addMe(app);
  (await import('./account/language.routes.ts')).addLanguage(app, parts, options);
  (await import('./forward-auth/verify.routes.ts')).addVerify(app, parts, options);
  (await import('./forward-auth/forward.routes.ts')).addForward(app, parts, options);
  const { findKeptMail } = options;
  if (findKeptMail !== undefined) (await import('./mail/mailbox.routes.ts')).addMailbox(app, findKeptMail);
}

/** What the capabilities work with, once the stores are ready. */
export type Parts = LogInParts & LogOutParts & ConfirmParts & LanguageParts & ForwardAuthParts;

/** What the capabilities know about the app from the start. */
export type CapabilityOptions = Omit<LogInRouteOptions, 'answerLogin'> &
  LanguageOptions &
  ForwardAuthOptions &
  MailboxOptions;

/** Options of an app with these capabilities: our own server, or another team's app. */
export interface SiteOptions extends FlowOptions, Omit<CapabilityOptions, 'showsLoginAtRoot' | 'loginPage'> {
  readonly parts: () => Parts & ReturnType<FlowOptions['parts']>;
  /** Whether mail is sent. Otherwise everything that needs mail is left out. */
  readonly mailWorks: boolean;
}

/** Every kind of recorded decision. */
export const events = {
  ...accessEvents,
  ...signInEvents,
  ...sessionEvents,
  ...userEvents,
  ...mailEvents,
  ...commandEvents,
  ...webEvents,
  ...auditEvents,
};
