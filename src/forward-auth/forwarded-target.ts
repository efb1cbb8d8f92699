import type { PeerCheck } from '../web/client-address.ts';
import type { Request } from '../web/types.ts';

/** What a proxy asks about before it lets a request through. */
export interface ForwardedTarget {
  /** `own` is our public origin, `listed` one of the settings, `unlisted` any other, and what cannot be read. */
  readonly kind: 'own' | 'listed' | 'unlisted';
  /** Empty where no host is named, or none can be read. */
  readonly origin: string;
  /** Path and query as the proxy says them; undefined where it does not. */
  readonly saidUri: string | undefined;
  /** The same, where the request can be asked for again by following a link; undefined where it cannot. */
  readonly uri: string | undefined;
}

export interface TargetOptions {
  /** Whether what this peer says in `X-Forwarded-…` counts. */
  readonly isTrustedPeer: PeerCheck;
  readonly publicOrigins: ReadonlySet<string>;
  readonly forwardOrigins: ReadonlySet<string>;
}

/** A host name or address with a port and nothing else: a parser of URLs would pass over blanks and take an account. */
const hostShape = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Whether a browser that follows the address asks for this very one. It takes `..` and `\` out of a path in its own way, which
 * may not be the proxy's: a ticket would go to a page that nobody asked about, and that may be open to all.
 */
const isFollowedAsIs = (origin: string, uri: string) =>
  /^\/[^#]*$/.test(uri) && URL.canParse(origin + uri) && new URL(origin + uri).href === origin + uri;

/** A WebSocket is opened by a request that some proxies name so. */
const schemes: Readonly<Record<string, string>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' };

/** Tells what a proxy asks about. Where no trusted one names a host, that is our own origin. */
export function createFindTarget({ isTrustedPeer, publicOrigins, forwardOrigins }: TargetOptions) {
  return ({ headers, socket }: Request): ForwardedTarget => {
    const said = (name: string) => headers[`x-forwarded-${name}`]?.toString() || undefined;
    const trusted = isTrustedPeer(socket.remoteAddress);
    const [proto, host, saidUri] = trusted ? [said('proto'), said('host'), said('uri')] : [];
    const origin = host === undefined ? '' : readOrigin(proto, host);
    return {
      kind:
        host === undefined || publicOrigins.has(origin) ? 'own' : forwardOrigins.has(origin) ? 'listed' : 'unlisted',
      origin,
      saidUri,
      // What was sent with another method is not sent again by a link.
      uri:
        saidUri !== undefined && isFollowedAsIs(origin, saidUri) && /^(?:get|head)$/i.test(said('method') ?? 'GET')
          ? saidUri
          : undefined,
    };
  };
}

function readOrigin(proto = '', host: string): string {
  const scheme = schemes[proto.toLowerCase()];
  const text = `${scheme}://${host}`;
  return scheme !== undefined && hostShape.test(host) && URL.canParse(text) ? new URL(text).origin : '';
}
