import type { Events } from '../core/audit/event.ts';
import type { Core } from '../core/core.ts';
import type { Ports } from '../core/ports.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { readUpstreams } from '../ground/config/upstreams-file.ts';
import type { Features, FlowOptions } from '../web/flow-options.ts';
import type { LoginPage } from '../web/login-page.ts';
import type { App } from '../web/types.ts';

/** Facts that are known before the stores (the database and the session store) answer. */
export interface StartOptions {
  readonly settings: Settings;
  /** The providers of `UPSTREAMS_FILE`. */
  readonly upstreams: ReturnType<typeof readUpstreams>;
  /** Whether the accounts are in Janua's own table. */
  readonly ownAccounts: boolean;
  readonly mail: boolean;
  readonly mailbox: boolean;
}

export interface RouteOptions extends FlowOptions {
  readonly settings: Settings;
  /** Events of the core and of all capabilities. */
  readonly events: Events;
  readonly loginPage: LoginPage;
  readonly showsLoginAtRoot: boolean;
}

/**
 * A part of the server, such as the second factors. The settings may turn some of them off. `site.ts` lists all capabilities. They do not
 * import each other, but call each other through the ports of the core (`core/ports.ts`).
 */
export interface Capability<Made extends object = object> {
  readonly name: string;
  readonly events?: Events;
  /** The features that this capability provides. */
  features?(given: StartOptions): Partial<Features>;
  /** Tells whether the capability is on. If not, neither `make` nor `addRoutes` is called. Default: on. */
  isEnabled?(features: Features): boolean;
  /** Makes the parts for its routes, the commands and the core, once the stores answer. */
  make?(core: Core, given: StartOptions): MadeCapability<Made> | Promise<MadeCapability<Made>>;
  /** @param parts throws {Unavailable} until the stores have answered */
  addRoutes?(app: App, parts: () => Core & Made, options: RouteOptions): Promise<void> | void;
}

/** The features that these capabilities provide. */
export const findFeatures = (capabilities: readonly Capability[], given: StartOptions): Features => ({
  mail: given.mail,
  mailbox: false,
  signUp: false,
  password: false,
  ownAccounts: false,
  ownHandles: false,
  secondFactor: false,
  passkeyDomain: undefined,
  passkeyApps: [],
  upstreams: [],
  ...Object.assign({}, ...capabilities.map((capability) => capability.features?.(given))),
});

export interface MadeCapability<Made> extends Ports {
  readonly parts: Made;
}

export const defineCapability = <Made extends object>(capability: Capability<Made>): Capability<Made> => capability;

/** Defines a capability that settings may leave out. Only its own routes know the type of its parts. */
export const defineOptional = <Made extends object>(
  capability: Capability<Made> & Pick<Required<Capability>, 'isEnabled'>,
): Capability => capability as Capability;
