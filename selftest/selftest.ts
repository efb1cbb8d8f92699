import { type Client, type ClientOptions, createClient } from './client.ts';
import { checkCookies } from './cookies.ts';
import { checkCors, checkCrossSite, checkPublicUrl } from './cross-site.ts';
import { checkCache, checkHeaders, checkHsts } from './every-answer.ts';
import { checkExposure, checkLimits } from './exposure.ts';
import { explain } from './faults.ts';
import { type Check, type Finding, needing, warning, wrong } from './finding.ts';
import { checkForgedHeaders } from './forged-headers.ts';
import { checkFormats } from './formats.ts';
import { checkLinks } from './links.ts';
import { checkOpenId } from './openid.ts';
import { checkPlainHttp } from './plain-http.ts';
import { checkReach } from './reach.ts';
import { checkSecondFactors } from './second-factors.ts';
import { checkAccess, checkLogin, checkLogout, checkRenewal } from './session.ts';
import { type Account, createSessions } from './sessions.ts';
import { checkThrottle, leaveThrottle } from './throttle.ts';
import { checkTls } from './tls.ts';

export interface SelftestOptions extends ClientOptions {
  /** Without it, the checks that need a login are skipped. */
  readonly account: Account | undefined;
  /** Whether to try wrong passwords, for a made-up name. */
  readonly throttle: boolean;
  /** The port of plain HTTP. */
  readonly plainPort: number;
}

/** Called with each finding at once. */
type Tell = (check: string, finding: Finding) => void;

/** Runs a check, and returns its result; undefined if the check did not complete. */
type Look = <Result>(check: string, carriedOut: Check<Result>) => Promise<Result | undefined>;

/**
 * Tests a server as clients see it, through its proxies. It changes nothing there except by logging in and out, and ends every
 * session that it starts. It sends one request at a time, and returns their number.
 */
export async function selftest(options: SelftestOptions, tell: Tell): Promise<number> {
  const client = createClient(options);
  async function look<Result>(check: string, carriedOut: Check<Result>): Promise<Result | undefined> {
    if (options.signal?.aborted) return undefined;
    try {
      for (;;) {
        const { done, value } = await carriedOut.next();
        if (done) return value;
        tell(check, value);
      }
    } catch (error) {
      if (options.signal?.aborted) return undefined;
      tell(check, explain(error));
      return undefined;
    }
  }

  if (await look('reach', checkReach(client))) await lookAtAll(client, options, look, tell);
  return client.count;
}

async function lookAtAll(client: Client, options: SelftestOptions, look: Look, tell: Tell): Promise<void> {
  const { account, plainPort, throttle } = options;
  if (client.https) await look('tls', checkTls(client));
  await look('plain-http', checkPlainHttp(client, plainPort));
  const refusesForms = await look('public-url', checkPublicUrl(client));
  await look('cross-site', checkCrossSite(client));
  await look('formats', checkFormats(client));
  await look('forged', checkForgedHeaders(client));
  await look('links', checkLinks(client));
  await look('second-factors', checkSecondFactors(client));
  await look('openid', checkOpenId(client));
  await look('exposure', checkExposure(client));
  await look('limits', checkLimits(client));
  if (account === undefined)
    tell('login', warning('Not checked: cookies, sessions and logout.', 'Use --user EMAIL, with a test user.'));
  else if (refusesForms)
    tell(
      'login',
      warning('Not checked, because the server refuses forms of this address.', 'Correct what public-url says first.'),
    );
  else await lookAtSessions(client, account, look, tell);
  // After the login, because the failures could make the login wait.
  await look('throttle', throttle ? checkThrottle(client) : leaveThrottle(client));
  // Last, because these check all earlier answers.
  await look('cors', checkCors(client));
  await look('headers', checkHeaders(client));
  await look('hsts', checkHsts(client));
  await look('cache', checkCache(client));
}

async function lookAtSessions(client: Client, account: Account, look: Look, tell: Tell): Promise<void> {
  const sessions = createSessions(client, account);
  try {
    const login = await look('login', checkLogin(account, sessions));
    const unable = 'the login did not come to its end';
    const living = await look(
      'session',
      needing(login, unable, (first) => checkRenewal(first, account, sessions)),
    );
    await look(
      'access',
      needing(living?.[1], unable, (last) => checkAccess(client, last, account)),
    );
    await look(
      'logout',
      needing(living, unable, (both) => checkLogout(client, both, sessions)),
    );
    if (login !== undefined) await look('cookies', checkCookies(client));
  } finally {
    const left = await sessions.end();
    if (left > 0)
      tell(
        'logout',
        wrong(
          `The test could not end its sessions: ${left} left.`,
          `On the server: ./bin/janua sessions revoke-all ${account.username}`,
        ),
      );
  }
}
