import { events as accountEvents } from './account/events.ts';
import { events as adminEvents } from './admin/events.ts';
import type { UserOptions } from './admin/user.routes.ts';
import { events as commandEvents } from './commands/events.ts';
import type { Services } from './compose.ts';
import { events as accessEvents } from './core/access/events.ts';
import { events as auditEvents } from './core/audit/audit.ts';
import { events as mailEvents } from './core/mail/events.ts';
import type { MailboxOptions } from './core/mail/mailbox.routes.ts';
import { events as sessionEvents } from './core/sessions/events.ts';
import { events as linkEvents } from './core/tokens/events.ts';
import { events as userEvents } from './core/users/events.ts';
import type { ForwardAuthOptions } from './forward-auth/verify.routes.ts';
import { events as providerEvents } from './oidc/events.ts';
import { events as factorEvents } from './second-factor/events.ts';
import type { FactorRouteOptions } from './second-factor/options.ts';
import { events as signInEvents } from './sign-in/events.ts';
import type { LogInRouteOptions } from './sign-in/log-in.routes.ts';
import { events as upstreamEvents } from './upstream/events.ts';
import { events as webEvents } from './web/events.ts';
import type { FlowOptions } from './web/flow-options.ts';
import type { App } from './web/types.ts';

/** The services, where the features say that all of them are there. */
type Whole = { readonly [Name in keyof Services]-?: NonNullable<Services[Name]> };

/** Adds all capabilities, in a good order for reading. */
export async function addSite(app: App, parts: () => Services, options: CapabilityOptions): Promise<void> {
  const whole = parts as () => Whole;
  (await import('./sign-in/log-in.routes.ts')).addLogIn(app, parts, options);
  (await import('./sign-in/log-out.routes.ts')).addLogOut(app, parts, options);
  (await import('./sign-in/confirm.routes.ts')).addConfirm(app, parts);
  if (options.features.secondFactor) await addSecondFactors(app, whole, options);
  if (options.features.upstreams.length > 0) {
    (await import('./upstream/upstream.routes.ts')).addUpstream(app, parts);
    (await import('./upstream/sign-in-methods.routes.ts')).addSignInMethods(app, parts);
  }
  (await import('./account/home.routes.ts')).addHome(app, options);
  (await import('./account/me.routes.ts')).addMe(app);
  (await import('./account/language.routes.ts')).addLanguage(app, whole, options);
  await addAccounts(app, whole, options);
  (await import('./admin/overview.routes.ts')).addOverview(app, parts);
  (await import('./admin/users.routes.ts')).addUsers(app, parts, options);
  (await import('./admin/user.routes.ts')).addUser(app, parts, { ...options, events });
  (await import('./admin/audit.routes.ts')).addAudit(app, parts, events);
  (await import('./admin/throttle.routes.ts')).addThrottle(app, parts);
  (await import('./admin/mail.routes.ts')).addMail(app, parts, options.features);
  (await import('./upstream/providers.routes.ts')).addProviders(app, parts);
  (await import('./admin/settings.routes.ts')).addSettings(app, parts);
  (await import('./admin/groups.routes.ts')).addGroups(app, parts, options);
  (await import('./oidc/provider.routes.ts')).addProvider(app, parts, options);
  (await import('./oidc/interaction.routes.ts')).addInteractions(app, parts);
  (await import('./oidc/logout.routes.ts')).addApplicationLogOut(app, parts, options);
  (await import('./oidc/clients.routes.ts')).addClients(app, parts, options);
  (await import('./oidc/resources.routes.ts')).addResources(app, parts);
  (await import('./oidc/applications.routes.ts')).addApplications(app, parts);
  (await import('./forward-auth/verify.routes.ts')).addVerify(app, parts, options);
  (await import('./forward-auth/forward.routes.ts')).addForward(app, parts, options);
  const { findKeptMail } = options;
  if (findKeptMail !== undefined) (await import('./core/mail/mailbox.routes.ts')).addMailbox(app, findKeptMail);
}

/** Adds the second step of a login, passkeys, and the page on which users manage their factors. */
async function addSecondFactors(app: App, parts: () => Whole, options: FactorRouteOptions): Promise<void> {
  (await import('./second-factor/second-factor.routes.ts')).addSecondFactor(app, parts, options);
  (await import('./second-factor/enrolment.routes.ts')).addEnrolment(app, parts);
  (await import('./second-factor/security.routes.ts')).addSecurity(app, parts, options);
  if (options.features.passkeyDomain !== undefined)
    (await import('./second-factor/passkey.routes.ts')).addPasskeys(app, parts, options);
}

/** Adds what users manage themselves, as far as the settings and the table of users allow it. */
async function addAccounts(
  app: App,
  parts: () => Whole,
  options: Pick<FlowOptions, 'features' | 'https'>,
): Promise<void> {
  const { mail, signUp, password, ownAccounts } = options.features;
  const signUpRoutes = await import('./account/sign-up.routes.ts');
  if (signUp) signUpRoutes.addSignUp(app, parts);
  if (ownAccounts) signUpRoutes.addFinishSignUp(app, parts, options);
  if (mail && password) (await import('./account/reset-password.routes.ts')).addResetPassword(app, parts, options);
  (await import('./account/account.routes.ts')).addAccount(app, parts);
  (await import('./account/sessions.routes.ts')).addSessions(app, parts);
  (await import('./account/tokens.routes.ts')).addTokens(app, parts);
  if (ownAccounts) (await import('./account/profile.routes.ts')).addProfile(app, parts);
  if (password) (await import('./account/password.routes.ts')).addChangePassword(app, parts);
  if (ownAccounts && mail) (await import('./account/email.routes.ts')).addChangeEmail(app, parts);
  if (ownAccounts) (await import('./account/deletion.routes.ts')).addDeleteAccount(app, parts);
}

export type CapabilityOptions = LogInRouteOptions &
  Pick<FactorRouteOptions, 'trustedBrowserDays'> &
  ForwardAuthOptions &
  MailboxOptions &
  Pick<UserOptions, 'forwardRules'> &
  Pick<FlowOptions, 'features' | 'https' | 'publicOrigins'>;

/** Options of an app with these capabilities: our own server, or another team's app. */
export interface SiteOptions extends FlowOptions, Omit<CapabilityOptions, 'showsLoginAtRoot' | 'loginPage'> {
  readonly parts: () => Services;
}

export const events = {
  ...accessEvents,
  ...signInEvents,
  ...factorEvents,
  ...upstreamEvents,
  ...accountEvents,
  ...sessionEvents,
  ...userEvents,
  ...linkEvents,
  ...mailEvents,
  ...commandEvents,
  ...adminEvents,
  ...providerEvents,
  ...webEvents,
  ...auditEvents,
};
