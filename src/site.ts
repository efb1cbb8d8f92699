import { accounts } from './capabilities/account/capability.ts';
import { admin } from './capabilities/admin/capability.ts';
import type { Capability, RouteOptions } from './capabilities/capability.ts';
import { forwardAuth } from './capabilities/forward-auth/capability.ts';
import { mailbox } from './capabilities/mailbox/capability.ts';
import { oidc } from './capabilities/oidc/capability.ts';
import { operator } from './capabilities/operator/capability.ts';
import { secondFactor } from './capabilities/second-factor/capability.ts';
import { signIn } from './capabilities/sign-in/capability.ts';
import { upstream } from './capabilities/upstream/capability.ts';
import { events as commandEvents } from './commands/events.ts';
import { events as accessEvents } from './core/access/events.ts';
import { events as auditEvents } from './core/audit/audit.ts';
import type { Events } from './core/audit/event.ts';
import type { Core } from './core/core.ts';
import { events as mailEvents } from './core/mail/events.ts';
import { events as sessionEvents } from './core/sessions/events.ts';
import { events as linkEvents } from './core/tokens/events.ts';
import { events as userEvents } from './core/users/events.ts';
import { events as webEvents } from './web/events.ts';
import type { App } from './web/types.ts';

/** Every capability, in reading order. A server works without any that is removed from this list. */
export const capabilities = [
  signIn,
  secondFactor,
  upstream,
  ...accounts,
  admin,
  oidc,
  forwardAuth,
  operator,
  mailbox,
] as const satisfies readonly Capability[];

type MadeBy<Listed> = Listed extends Capability<infer Made> ? Made : never;
type All<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer Both) => void
  ? Both
  : never;

/** The core, and the parts that each capability makes, for the commands and the tests. */
export type Services = Core & All<MadeBy<(typeof capabilities)[number]>>;

/** Options of an app with these capabilities: our own server, or another team's app. */
export interface SiteOptions extends Omit<RouteOptions, 'showsLoginAtRoot' | 'loginPage'> {
  readonly capabilities: readonly Capability[];
  readonly parts: () => Services;
}

export async function addSite(
  app: App,
  { capabilities, parts, ...options }: SiteOptions & RouteOptions,
): Promise<void> {
  for (const capability of capabilities) await capability.addRoutes?.(app, parts, { ...options, parts });
}

export const events: Events = Object.assign(
  {},
  accessEvents,
  sessionEvents,
  userEvents,
  linkEvents,
  mailEvents,
  commandEvents,
  webEvents,
  auditEvents,
  ...capabilities.map((capability) => capability.events),
);
