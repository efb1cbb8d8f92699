import type { FlowOptions } from '../../web/flow-options.ts';
import type { Request } from '../../web/types.ts';

export interface ForwardedTarget {
  /** `own`: our public origin. `listed`: an origin in `FORWARD_AUTH_ORIGINS`. `unlisted`: any other, or an unreadable one. */
  readonly kind: 'own' | 'listed' | 'unlisted';
  /** Empty if the proxy names no host, or an unreadable one. */
  readonly origin: string;
  /** Path and query as the proxy sends them. Undefined if it sends none. */
  readonly sentUri: string | undefined;
  /** The same as `sentUri`, if a link to it would repeat the request. Undefined otherwise. */
  readonly uri: string | undefined;
}

export interface TargetOptions extends Pick<FlowOptions, 'isTrustedPeer' | 'publicOrigins'> {
  /** Origins of other hosts. Their proxies ask Janua which user is signed in. */
  readonly forwardOrigins: ReadonlySet<string>;
}

/** A host name or address, perhaps with a port, and nothing else. A URL parser would skip blanks and accept a user and password. */
const hostShape = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/**
 * Tells whether a browser that follows the address requests exactly this address. A browser resolves `..` and `\` in a path, and the proxy
 * may resolve them differently. The ticket (see `withTicket`) would then reach a page that no proxy asked about, and that may be public.
 */
const isFollowedAsIs = (origin: string, uri: string) =>
  /^\/[^#]*$/.test(uri) && URL.canParse(origin + uri) && new URL(origin + uri).href === origin + uri;

/** Some proxies send `ws` or `wss` for the request that opens a WebSocket. */
const schemes: Readonly<Record<string, string>> = { http: 'http', https: 'https', ws: 'http', wss: 'https' };

export function createFindTarget({ isTrustedPeer, publicOrigins, forwardOrigins }: TargetOptions) {
  function kindOf(origin: string): ForwardedTarget['kind'] {
    if (publicOrigins.has(origin)) return 'own';
    return forwardOrigins.has(origin) ? 'listed' : 'unlisted';
  }

  return ({ headers, socket }: Request): ForwardedTarget => {
    const trusted = isTrustedPeer(socket.remoteAddress);
    const forwarded = (name: string) => (trusted && headers[`x-forwarded-${name}`]?.toString()) || undefined;
    const host = forwarded('host');
    const origin = host === undefined ? '' : readOrigin(forwarded('proto'), host);
    const sentUri = forwarded('uri');
    // A link can only repeat a GET or HEAD request.
    const isRepeatable = /^(?:get|head)$/i.test(forwarded('method') ?? 'GET');
    const uri = isRepeatable && sentUri !== undefined && isFollowedAsIs(origin, sentUri) ? sentUri : undefined;
    return { kind: host === undefined ? 'own' : kindOf(origin), origin, sentUri, uri };
  };
}

function readOrigin(proto = '', host: string): string {
  const scheme = schemes[proto.toLowerCase()];
  const text = `${scheme}://${host}`;
  return scheme !== undefined && hostShape.test(host) && URL.canParse(text) ? new URL(text).origin : '';
}
