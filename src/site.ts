import { events as accountEvents } from './capabilities/account/events.ts';
import { events as adminEvents } from './capabilities/admin/events.ts';
import type { UserOptions } from './capabilities/admin/user.routes.ts';
import type { ForwardAuthOptions } from './capabilities/forward-auth/verify.routes.ts';
import type { MailboxOptions } from './capabilities/mailbox/mailbox.routes.ts';
import { events as providerEvents } from './capabilities/oidc/events.ts';
import { events as factorEvents } from './capabilities/second-factor/events.ts';
import type { FactorRouteOptions } from './capabilities/second-factor/options.ts';
import { events as signInEvents } from './capabilities/sign-in/events.ts';
import type { LogInRouteOptions } from './capabilities/sign-in/log-in.routes.ts';
import { events as upstreamEvents } from './capabilities/upstream/events.ts';
import { events as commandEvents } from './commands/events.ts';
import type { Services } from './compose.ts';
import { events as accessEvents } from './core/access/events.ts';
import { events as auditEvents } from './core/audit/audit.ts';
import { events as mailEvents } from './core/mail/events.ts';
import { events as sessionEvents } from './core/sessions/events.ts';
import { events as linkEvents } from './core/tokens/events.ts';
import { events as userEvents } from './core/users/events.ts';
import { events as webEvents } from './web/events.ts';
import type { FlowOptions } from './web/flow-options.ts';
import type { App } from './web/types.ts';

/** The services, where the features say that all of them are there. */
type Whole = { readonly [Name in keyof Services]-?: NonNullable<Services[Name]> };

/** Adds all capabilities, in a good order for reading. */
export async function addSite(app: App, parts: () => Services, options: CapabilityOptions): Promise<void> {
  const whole = parts as () => Whole;
  (await import('./capabilities/sign-in/log-in.routes.ts')).addLogIn(app, parts, options);
  (await import('./capabilities/sign-in/log-out.routes.ts')).addLogOut(app, parts, options);
  (await import('./capabilities/sign-in/confirm.routes.ts')).addConfirm(app, parts);
  if (options.features.secondFactor) await addSecondFactors(app, whole, options);
  if (options.features.upstreams.length > 0) {
    (await import('./capabilities/upstream/upstream.routes.ts')).addUpstream(app, parts);
    (await import('./capabilities/upstream/sign-in-methods.routes.ts')).addSignInMethods(app, parts);
  }
  (await import('./capabilities/account/home.routes.ts')).addHome(app, options);
  (await import('./capabilities/account/me.routes.ts')).addMe(app);
  (await import('./capabilities/account/language.routes.ts')).addLanguage(app, whole, options);
  await addAccounts(app, whole, options);
  (await import('./capabilities/admin/overview.routes.ts')).addOverview(app, parts);
  (await import('./capabilities/admin/users.routes.ts')).addUsers(app, parts, options);
  (await import('./capabilities/admin/user.routes.ts')).addUser(app, parts, { ...options, events });
  (await import('./capabilities/admin/audit.routes.ts')).addAudit(app, parts, events);
  (await import('./capabilities/admin/throttle.routes.ts')).addThrottle(app, parts);
  (await import('./capabilities/admin/mail.routes.ts')).addMail(app, parts, options.features);
  (await import('./capabilities/upstream/providers.routes.ts')).addProviders(app, parts);
  (await import('./capabilities/admin/settings.routes.ts')).addSettings(app, parts);
  (await import('./capabilities/admin/groups.routes.ts')).addGroups(app, parts, options);
  (await import('./capabilities/oidc/provider.routes.ts')).addProvider(app, parts, options);
  (await import('./capabilities/oidc/interaction.routes.ts')).addInteractions(app, parts);
  (await import('./capabilities/oidc/logout.routes.ts')).addApplicationLogOut(app, parts, options);
  (await import('./capabilities/oidc/clients.routes.ts')).addClients(app, parts, options);
  (await import('./capabilities/oidc/resources.routes.ts')).addResources(app, parts);
  (await import('./capabilities/oidc/applications.routes.ts')).addApplications(app, parts);
  (await import('./capabilities/forward-auth/verify.routes.ts')).addVerify(app, parts, options);
  (await import('./capabilities/forward-auth/forward.routes.ts')).addForward(app, parts, options);
  const { findKeptMail } = options;
  if (findKeptMail !== undefined)
    (await import('./capabilities/mailbox/mailbox.routes.ts')).addMailbox(app, findKeptMail);
}

/** Adds the second step of a login, passkeys, and the page on which users manage their factors. */
async function addSecondFactors(app: App, parts: () => Whole, options: FactorRouteOptions): Promise<void> {
  (await import('./capabilities/second-factor/second-factor.routes.ts')).addSecondFactor(app, parts, options);
  (await import('./capabilities/second-factor/enrolment.routes.ts')).addEnrolment(app, parts);
  (await import('./capabilities/second-factor/security.routes.ts')).addSecurity(app, parts, options);
  if (options.features.passkeyDomain !== undefined)
    (await import('./capabilities/second-factor/passkey.routes.ts')).addPasskeys(app, parts, options);
}

/** Adds what users manage themselves, as far as the settings and the table of users allow it. */
async function addAccounts(
  app: App,
  parts: () => Whole,
  options: Pick<FlowOptions, 'features' | 'https'>,
): Promise<void> {
  const { mail, signUp, password, ownAccounts } = options.features;
  const signUpRoutes = await import('./capabilities/account/sign-up.routes.ts');
  if (signUp) signUpRoutes.addSignUp(app, parts);
  if (ownAccounts) signUpRoutes.addFinishSignUp(app, parts, options);
  if (mail && password)
    (await import('./capabilities/account/reset-password.routes.ts')).addResetPassword(app, parts, options);
  (await import('./capabilities/account/account.routes.ts')).addAccount(app, parts);
  (await import('./capabilities/account/sessions.routes.ts')).addSessions(app, parts);
  (await import('./capabilities/account/tokens.routes.ts')).addTokens(app, parts);
  if (ownAccounts) (await import('./capabilities/account/profile.routes.ts')).addProfile(app, parts);
  if (password) (await import('./capabilities/account/password.routes.ts')).addChangePassword(app, parts);
  if (ownAccounts && mail) (await import('./capabilities/account/email.routes.ts')).addChangeEmail(app, parts);
  if (ownAccounts) (await import('./capabilities/account/deletion.routes.ts')).addDeleteAccount(app, parts);
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
