import type { Page } from '../../web/page.ts';
import { view } from '../../web/view.ts';

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/upstream/lead': ReturnType<typeof describeLead>;
    'capabilities/upstream/link': ReturnType<typeof describeLink>;
    'capabilities/upstream/providers': ReturnType<typeof describeProviders>;
    'capabilities/upstream/sign-in-methods': ReturnType<typeof describeMethods>;
  }
}

interface Lead {
  readonly url: string;
  /** The name of the provider. */
  readonly name: string;
  readonly signedIn: boolean;
}

const describeLead = (lead: Lead, { words, interpolate }: Page) => ({
  ...lead,
  lead: interpolate(words.upstream.lead, { name: lead.name }),
});

interface Link {
  readonly link: string;
  readonly name: string;
  readonly provider: string;
  readonly username: string | undefined;
}

const describeLink = ({ link, name, provider, username = '' }: Link, { words, interpolate }: Page) => ({
  link,
  lead: interpolate(words.upstream.linkLead, { name, provider, username }),
});

interface Providers {
  readonly upstreams: readonly {
    readonly id: string;
    readonly kind: string;
    readonly name: string;
    readonly issuer: string;
    readonly redirect_uri: string;
    readonly reachable: boolean;
  }[];
}

const describeProviders = ({ upstreams }: Providers, { words: { upstream } }: Page) => ({
  lead: upstreams.length > 0 ? upstream.providersLead : upstream.noProviders,
  upstreams: upstreams.map(({ reachable, ...one }) => ({
    ...one,
    reached: reachable ? upstream.reachable : upstream.unreachable,
  })),
});

interface Methods {
  readonly identities: readonly {
    readonly id: string;
    readonly upstream: string;
    readonly name: string;
    readonly provider: string;
    readonly linked_at: string;
    readonly last_used_at: string | null;
  }[];
  readonly providers: readonly { readonly id: string; readonly name: string }[];
}

const describeMethods = ({ identities, providers }: Methods, { words, messageIn, confirm }: Page) => ({
  message: messageIn({ ...words.upstream.messages, 8: words.security.messages[8] }),
  identities,
  providers: confirm === undefined ? providers : [],
});

export const leadView = view('capabilities/upstream/lead', describeLead);
export const linkView = view('capabilities/upstream/link', describeLink);
export const providersView = view('capabilities/upstream/providers', describeProviders);
export const methodsView = view('capabilities/upstream/sign-in-methods', describeMethods);
