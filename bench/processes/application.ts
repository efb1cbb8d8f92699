// An application that signs users in, whose session is there already. It sends the requests of several sign-ins at a time.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type Application, redirectUri } from '../application-settings.ts';
import { getRequest } from '../requests.ts';
import { percentile } from '../statistics.ts';
import { offer } from './child.ts';
import { type Answer, type Connection, openConnection } from './connection.ts';
import type { LoadResult } from './load.ts';

export type ApplicationTasks = {
  /** Opens connections, and forgets the tokens. */
  use(application: Application, connections: number): Promise<void>;
  /** Asks for codes, each time with a new challenge. */
  authorize(count: number): Promise<LoadResult>;
  /** Exchanges all codes for tokens. */
  redeem(): Promise<LoadResult>;
  /** Exchanges all refresh tokens for new ones, and forgets these. */
  refresh(): Promise<LoadResult>;
  /** Whole sign-ins at a fixed rate: authorization, code, tokens. @returns the milliseconds that each took */
  signIn(perSecond: number, seconds: number): Promise<number[]>;
  /** Begins sign-ins in browsers where no user is signed in, and leaves them. */
  abandon(count: number): Promise<LoadResult>;
};

interface Code {
  readonly code: string;
  readonly verifier: string;
}

let application: Application | undefined;
const idle: Connection[] = [];
const waiting: ((connection: Connection) => void)[] = [];
let codes: Code[] = [];
let refreshTokens: string[] = [];

async function send(request: string): Promise<Answer> {
  const connection = idle.pop() ?? (await new Promise<Connection>((resolve) => waiting.push(resolve)));
  try {
    return await connection.exchange(Buffer.from(request));
  } finally {
    const next = waiting.shift();
    if (next === undefined) idle.push(connection);
    else next(connection);
  }
}

function requireApplication(): Application {
  if (application === undefined) throw new Error('there is no application yet');
  return application;
}

async function authorize(verifier: string, field: string): Promise<string> {
  const query = new URLSearchParams({
    client_id: requireApplication().clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid profile email',
    state: verifier.slice(0, 16),
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const { status, head } = await send(getRequest(`/oidc/auth?${query}`, field, 'Accept: text/html'));
  const location = /\r\nlocation: *([^\r]+)/i.exec(head)?.[1];
  if (status !== 303 || location === undefined) throw new Error(`the server answered ${status} to an authorization`);
  return location;
}

async function findCode(): Promise<Code> {
  const verifier = randomBytes(32).toString('base64url');
  const location = await authorize(verifier, `Cookie: ${requireApplication().cookie}`);
  const code = new URL(location).searchParams.get('code');
  if (code === null) throw new Error(`the server led to ${location}`);
  return { code, verifier };
}

async function askForTokens(fields: Readonly<Record<string, string>>): Promise<string> {
  const { clientId, secret } = requireApplication();
  const body = new URLSearchParams(fields).toString();
  const { status, body: sent } = await send(
    [
      'POST /oidc/token HTTP/1.1',
      'Host: 127.0.0.1',
      'Content-Type: application/x-www-form-urlencoded',
      `Authorization: Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`,
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  );
  const { id_token, refresh_token } = JSON.parse(sent.toString());
  if (status !== 200 || !id_token) throw new Error(`the server answered ${status} to a request for tokens`);
  return refresh_token;
}

const redeem = ({ code, verifier: code_verifier }: Code) =>
  askForTokens({ grant_type: 'authorization_code', code, code_verifier, redirect_uri: redirectUri });

/** Begins all at once. As many are under way as there are connections. */
async function time(actions: readonly (() => Promise<unknown>)[]): Promise<LoadResult> {
  const times: number[] = [];
  const start = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: idle.length }, async () => {
      for (let action = actions[next++]; action !== undefined; action = actions[next++]) {
        const begun = performance.now();
        await action();
        times.push(performance.now() - begun);
      }
    }),
  );
  const perSecond = (actions.length / (performance.now() - start)) * 1000;
  return { answers: actions.length, perSecond, median: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

const repeat = <Result>(count: number, action: () => Promise<Result>) => Array.from({ length: count }, () => action);

offer({
  async use(given, connections) {
    for (const connection of idle.splice(0)) connection.close();
    application = given;
    [codes, refreshTokens] = [[], []];
    idle.push(...(await Promise.all(repeat(connections, () => openConnection(given.port)).map((open) => open()))));
  },

  authorize: (count) => time(repeat(count, async () => codes.push(await findCode()))),

  redeem: () => time(codes.splice(0).map((code) => async () => refreshTokens.push(await redeem(code)))),

  refresh: () =>
    time(
      refreshTokens.splice(0).map((token) => () => askForTokens({ grant_type: 'refresh_token', refresh_token: token })),
    ),

  async signIn(perSecond, seconds) {
    const start = performance.now();
    const underWay: Promise<number>[] = [];
    for (let index = 0; index < perSecond * seconds; index += 1) {
      const due = start + (index / perSecond) * 1000;
      const rest = due - performance.now();
      if (rest > 0) await setTimeout(rest);
      underWay.push(
        findCode()
          .then(redeem)
          .then(() => performance.now() - due),
      );
    }
    return Promise.all(underWay);
  },

  abandon: (count) => time(repeat(count, () => authorize(randomBytes(32).toString('base64url'), 'X-Nothing: 1'))),
} satisfies ApplicationTasks);
