import type { Answer, Client } from './client.ts';
import { foreignHost } from './cross-site.ts';
import { type Check, ok, wrong } from './finding.ts';

/** Checks that a client cannot redirect links and cookies with headers that only a proxy should set (ASVS 4.1.3). */
export async function* checkForgedHeaders(client: Client): Check {
  const route = 'GET /auth/home';
  const usual = await client.ask(route);
  const otherScheme = client.https ? 'http' : 'https';
  const forwarded = await client.ask(route, {
    headers: {
      'x-forwarded-host': foreignHost,
      'x-forwarded-server': foreignHost,
      'x-forwarded-proto': otherScheme,
      'x-forwarded-port': '8081',
      'x-host': foreignHost,
      'x-original-url': `//${foreignHost}/`,
      forwarded: `for=203.0.113.99;host=${foreignHost};proto=${otherScheme}`,
    },
  });
  yield answersAlike(usual, forwarded) && !namesForeignHost(forwarded)
    ? ok('Forged X-Forwarded-Host, X-Forwarded-Proto and Forwarded change nothing.')
    : wrong(
        `Forged X-Forwarded-… headers change the response: ${describe(forwarded)} in place of ${describe(usual)}.`,
        'Let the proxy set these headers itself or remove them, and ignore what clients send.',
      );

  // For such a host, many proxies serve another site or none.
  const otherHost = await client.ask(route, { headers: { host: foreignHost }, mayBeTheProxys: true });
  yield namesForeignHost(otherHost)
    ? wrong(
        `The response uses a forged Host: ${describe(otherHost)}.`,
        `Let the proxy answer requests for ${new URL(client.origin).host} only, and build no links from Host.`,
      )
    : ok(`No response uses a forged Host (${otherHost.status}).`);
}

const answersAlike = (one: Answer, other: Answer) =>
  one.status === other.status && one.header('location') === other.header('location');

const namesForeignHost = ({ body, lines }: Answer) =>
  [body, ...lines('location'), ...lines('set-cookie'), ...lines('link')].some((text) => text.includes(foreignHost));

const describe = (answer: Answer) => `${answer.status} to ${answer.header('location') ?? 'nowhere'}`;
