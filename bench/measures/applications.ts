import { createHash, randomBytes } from 'node:crypto';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { Browser } from '../../test/capabilities/oidc/browser.ts';
import type { Exchange } from '../client.ts';
import { fieldsOf, getRequest, postForm } from '../http.ts';
import { type Client, connections, type Figures, observe, takeTurns } from '../measure.ts';
import type { Effort } from '../options.ts';
import { januaWith, type Server, startClient, startServer } from '../processes.ts';
import { medianOf } from '../statistics.ts';
import { type Table, yesOrNo } from '../table.ts';
import { createWorkspace, withServices } from '../workspace.ts';

const redirectUri = 'https://app.example.com/callback';

/** As many grants as Janua keeps of a user for one client. The library's store in memory holds more. */
const batch = 50;

/** The most that Janua may take, relative to the library alone. */
const mostTimesLibrary = 3;

/** Whole sign-ins a second: an authorization, and its code to tokens. */
const leastSignIns = 200;

/** A server with one client, whose user is signed in. */
interface Provider {
  readonly server: Server;
  readonly clientId: string;
  readonly secret: string;
  /** The field of the session's cookie. */
  readonly cookie: string;
}

type Step = 'authorize' | 'redeem' | 'userinfo' | 'introspect' | 'refresh';

const steps: Readonly<Record<Step, string>> = {
  authorize: 'authorize, in a session',
  redeem: 'code to tokens',
  userinfo: 'userinfo',
  introspect: 'introspection',
  refresh: 'refresh',
};

async function openJanua(stack: AsyncDisposableStack): Promise<Provider> {
  const { settings, cookie } = await createWorkspace(1);
  const { client, secret = '' } = await withServices(settings, ({ clientAdministration }) =>
    clientAdministration.addClient({
      ...defaultSettings,
      ...{ name: 'Application', redirectUris: [redirectUri], own: true, isPublic: false },
    }),
  );
  const server = stack.use(await startServer(januaWith(settings)));
  return { server, clientId: client.id, secret, cookie: `Cookie: session=${cookie}` };
}

/** The library that Janua is built on, alone in memory. */
async function openLibrary(stack: AsyncDisposableStack): Promise<Provider> {
  const [clientId, secret] = ['application', 'secret-of-the-bench'];
  const settings = { CLIENT_ID: clientId, CLIENT_SECRET: secret, REDIRECT_URI: redirectUri };
  const command = { file: './servers/bare-provider.ts', isForeign: true, settings, health: '/health' };
  const server = stack.use(await startServer(command));
  const browser = new Browser(`http://localhost:${server.port}`);
  await browser.open(authorizationPath(clientId, 'x'.repeat(43)));
  return { server, clientId, secret, cookie: `Cookie: ${browser.cookieHeader('/oidc/auth')}` };
}

const authorizationPath = (clientId: string, challenge: string) =>
  `/oidc/auth?${new URLSearchParams({
    ...{ client_id: clientId, redirect_uri: redirectUri, response_type: 'code', scope: 'openid profile email' },
    ...{ code_challenge: challenge, code_challenge_method: 'S256', state: challenge.slice(0, 16) },
  })}`;

/** Takes a batch of sign-ins through all steps. */
async function signIn({ server, clientId, secret, cookie }: Provider, client: Client) {
  const basic = `Authorization: Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
  const figures: Partial<Record<Step, Figures>> = {};
  async function take(step: Step, status: number, requests: readonly string[]): Promise<readonly Exchange[]> {
    let exchanges: readonly Exchange[] = [];
    figures[step] = await observe(server, async () => {
      const result = await client.ask('exchange', server.port, requests, connections);
      exchanges = result.exchanges;
      return result;
    });
    const odd = exchanges.find((exchange) => exchange.status !== status);
    if (odd !== undefined) throw new Error(`${step}: the server answered ${odd.status}: ${odd.body}`);
    return exchanges;
  }
  const verifiers = Array.from({ length: batch }, () => randomBytes(32).toString('base64url'));
  const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url');
  const authorizations = verifiers.map((verifier) =>
    getRequest(authorizationPath(clientId, challengeOf(verifier)), cookie, 'Accept: text/html'),
  );
  const codes = (await take('authorize', 303, authorizations)).map(({ head }) => {
    const [location = ''] = fieldsOf(head, 'location');
    return new URL(location).searchParams.get('code') ?? '';
  });
  const redeeming = codes.map((code, index) => {
    const proof = { code, code_verifier: verifiers[index] ?? '', redirect_uri: redirectUri };
    return postForm('/oidc/token', { grant_type: 'authorization_code', ...proof }, basic);
  });
  const tokens = (await take('redeem', 200, redeeming)).map(({ body }) => JSON.parse(body));
  const ask = (request: (given: Readonly<Record<string, string>>) => string) => tokens.map(request);
  await take(
    'userinfo',
    200,
    ask(({ access_token }) => getRequest('/oidc/userinfo', `Authorization: Bearer ${access_token}`)),
  );
  await take(
    'introspect',
    200,
    ask(({ access_token: token = '' }) => postForm('/oidc/introspection', { token }, basic)),
  );
  await take(
    'refresh',
    200,
    ask(({ refresh_token = '' }) => postForm('/oidc/token', { grant_type: 'refresh_token', refresh_token }, basic)),
  );
  return figures;
}

/** Measures what a sign-in to an application costs, beside the library alone. */
export async function measureApplications({ rounds, requests }: Effort): Promise<Table[]> {
  await using stack = new AsyncDisposableStack();
  const client = stack.use(startClient());
  const [library, janua] = [await openLibrary(stack), await openJanua(stack)];
  const runs = { library: () => signIn(library, client), janua: () => signIn(janua, client) };
  const figures = await takeTurns('applications', runs, rounds * Math.ceil(requests / 4000));
  const median = (name: keyof typeof runs, step: Step, read: (round: Figures) => number) =>
    medianOf(
      (figures[name] ?? []).flatMap((round) => round[step] ?? []),
      read,
    );
  const cpu = (round: Figures) => round.cpu;
  const perSecond = (step: Step) => median('janua', step, (round) => round.perSecond);
  const signIns = 1 / (1 / perSecond('authorize') + 1 / perSecond('redeem'));
  const lines = (Object.keys(steps) as Step[]).map((step) => {
    const [library, janua] = [median('library', step, cpu), median('janua', step, cpu)];
    const ratio = janua / library;
    return [
      ...[steps[step], `${library.toFixed(0)} µs`, `${janua.toFixed(0)} µs`, ratio.toFixed(2)],
      ...[perSecond(step).toFixed(0), `ratio at most ${mostTimesLibrary}`, yesOrNo(ratio <= mostTimesLibrary)],
    ];
  });
  lines.push([
    ...['whole sign-in', '', '', '', signIns.toFixed(0)],
    ...[`at least ${leastSignIns} a second`, yesOrNo(signIns >= leastSignIns)],
  ]);
  const heading = ['', 'oidc-provider alone', 'Janua, SQLite', 'ratio', 'Janua per second', 'goal', 'met'];
  return [{ title: 'CPU time per request', lines: [heading, ...lines] }];
}
