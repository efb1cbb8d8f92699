import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { compose } from '../../src/compose.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { Browser } from '../../test/capabilities/oidc/browser.ts';
import { type Application, redirectUri } from '../application-settings.ts';
import type { Effort } from '../options.ts';
import type { ApplicationTasks } from '../processes/application.ts';
import { type Child, plainRuntime, type Settings, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { summarize } from '../statistics.ts';
import { createWorkspace } from '../workspace.ts';
import { type Figures, observe, summarizeFigure } from './requests.ts';
import { takeTurns } from './turns.ts';

/** The library's store in memory holds 1000 records, so that codes must be used before more are asked for. */
const batch = 100;

const connections = 16;

/** The most that Janua may take, relative to the library alone. */
const mostTimesLimit = 3;

export const steps = ['authorize', 'redeem', 'refresh'] as const;

/** Janua or the library, with a client process of its own. */
export interface Contender {
  readonly server: Child<ServerTasks>;
  readonly client: Child<ApplicationTasks>;
}

type Round = Readonly<Record<(typeof steps)[number], Figures>>;

/** Adds a client to a workspace. */
export async function addClient(settings: Settings): Promise<Pick<Application, 'clientId' | 'secret'>> {
  const composition = await compose(loadSettings({}, settings));
  const { clientAdministration } = await composition.prepare();
  const { client, secret = '' } = await clientAdministration.addClient({
    ...defaultSettings,
    ...{ name: 'Application', redirectUris: [redirectUri], own: true, isPublic: false },
  });
  await composition.close();
  return { clientId: client.id, secret };
}

/** A server with one client, and an application whose user is signed in. */
export async function openJanua(stack: AsyncDisposableStack, settings: Settings, cookie: string): Promise<Contender> {
  const client = stack.use(startChild<ApplicationTasks>('./application.ts'));
  const added = await addClient(settings);
  const server = stack.use(startChild<ServerTasks>('./janua.ts', settings));
  const port = await server.ask('port');
  await client.ask('use', { port, ...added, cookie: `session=${cookie}` }, connections);
  return { server, client };
}

async function openLibrary(stack: AsyncDisposableStack): Promise<Contender> {
  type Tasks = ServerTasks & { client(): Pick<Application, 'clientId' | 'secret'> };
  const client = stack.use(startChild<ApplicationTasks>('./application.ts'));
  const server = stack.use(startChild<Tasks>('./bare-provider.ts', {}, plainRuntime));
  const port = await server.ask('port');
  const { clientId, secret } = await server.ask('client');
  const browser = new Browser(`http://localhost:${port}`);
  await browser.open(
    `/oidc/auth?${new URLSearchParams({
      ...{ client_id: clientId, redirect_uri: redirectUri, response_type: 'code', scope: 'openid' },
      ...{ code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
    })}`,
  );
  const cookie = browser.cookieHeader('/oidc/auth');
  await client.ask('use', { port, clientId, secret, cookie }, connections);
  return { server: server as Child<ServerTasks>, client };
}

async function run({ server, client }: Contender): Promise<Round> {
  const authorize = await observe(server, () => client.ask('authorize', batch));
  const redeem = await observe(server, () => client.ask('redeem'));
  const refresh = await observe(server, () => client.ask('refresh'));
  return { authorize, redeem, refresh };
}

/** Measures what a sign-in to an application costs, beside the library alone with its store in memory. Gives the lines of a table. */
export async function measureApplications({ rounds, requests }: Effort): Promise<string[][]> {
  await using stack = new AsyncDisposableStack();
  const { settings, cookie } = await createWorkspace(1);
  const contenders = [await openLibrary(stack), await openJanua(stack, settings, cookie)];
  const repeated = rounds * Math.ceil(requests / 8000);
  const [limit = [], janua = []] = await takeTurns(
    contenders.map((contender) => () => run(contender)),
    repeated,
  );
  const named = { authorize: 'authorize, in a session', redeem: 'code to tokens', refresh: 'refresh' };
  const median = (of: readonly Round[], step: keyof Round) =>
    summarizeFigure(
      of.map((round) => round[step]),
      'cpu',
    ).median;
  return [
    ['', 'oidc-provider alone', 'Janua, SQLite', 'ratio', 'goal', 'met', 'Janua per second'],
    ...steps.map((step) => {
      const ratio = median(janua, step) / median(limit, step);
      return [
        named[step],
        ...[limit, janua].map((of) => `${median(of, step).toFixed(0)} µs`),
        ratio.toFixed(2),
        `at most ${mostTimesLimit}`,
        ratio <= mostTimesLimit ? 'yes' : 'NO',
        summarize(janua.map((round) => round[step].perSecond)).median.toFixed(0),
      ];
    }),
  ];
}
