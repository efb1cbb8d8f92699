import { createHash } from 'node:crypto';
import type { Journal, Session } from './journal.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Asks one of the servers. Undefined if the client cannot know what became of the request: no answer, or a 5xx. */
export type Ask = (
  path: string,
  how?: { cookie?: string | undefined; token?: string; fields?: Readonly<Record<string, string>>; server?: number },
) => Promise<Answer | undefined>;

/** Gives a whole number below the limit. */
export type Random = (limit: number) => number;

/** What all clients share. */
export interface Town {
  readonly ask: Ask;
  readonly random: Random;
  readonly journal: Journal;
  readonly clientId: string;
  readonly signal: AbortSignal;
  /** Waits, so that the load leaves time for the servers. */
  pause(): Promise<void>;
  /** Gives the token of a new mail to that address, if one comes soon. */
  receive(address: string): Promise<string | undefined>;
}

export interface Credentials {
  readonly id?: string;
  readonly username: string;
  password: string;
  /** The one before, which must no longer count. */
  former?: string;
}

/** Milliseconds within which even a server whose stores hang answers. */
const patience = 30_000;

export const redirectUri = 'https://app.example.com/callback';

const digest = (text: string) => createHash('sha256').update(text).digest();

export function createRandom(seed: string): Random {
  let count = 0;
  return (limit) => {
    count += 1;
    return digest(`${seed} ${count}`).readUInt32BE() % limit;
  };
}

export function createAsk(urls: readonly string[], random: Random, journal: Journal): Ask {
  return async (path, { cookie, token, fields, server = random(urls.length) } = {}) => {
    try {
      const credential = { ...(cookie && { cookie }), ...(token && { authorization: `Bearer ${token}` }) };
      const { status, headers, ...answer } = await askOnce(`${urls[server % urls.length]}${path}`, credential, fields);
      if (status < 500) {
        journal.answered();
        return { status, headers, ...answer };
      }
    } catch {
      // The connection broke, or the server took too long.
    }
    journal.counts.unknown += 1;
    return undefined;
  };
}

type Texts = Readonly<Record<string, string>>;

async function askOnce(url: string, headers: Texts, fields?: Texts): Promise<Answer> {
  const answer = await fetch(url, {
    ...{ redirect: 'manual', signal: AbortSignal.timeout(patience), headers },
    ...(fields && { method: 'POST', body: new URLSearchParams(fields) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.startsWith('application/json');
  return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : {} };
}

export const logIn = (ask: Ask, { username, password }: Credentials) =>
  ask('/api/login', { fields: { username, password } });

export const cookieOf = (answer: Answer | undefined): string | undefined =>
  answer?.headers
    .getSetCookie()
    .find((line) => line.startsWith('session='))
    ?.split(';')[0];

export const isSuccess = (answer: Answer | undefined): answer is Answer => answer?.status === 200;

export const refresh = (ask: Ask, clientId: string, token: string, server = 0) =>
  ask('/oidc/token', { server, fields: { grant_type: 'refresh_token', refresh_token: token, client_id: clientId } });

/** Signs a user in to the application. Gives the request that redeems the code, or undefined without one. */
export async function askForCode(ask: Ask, clientId: string, cookie: string, verifier: string) {
  const client = { client_id: clientId, redirect_uri: redirectUri };
  const query = new URLSearchParams({
    ...{ ...client, response_type: 'code', scope: 'openid' },
    ...{ code_challenge_method: 'S256', code_challenge: digest(verifier).toString('base64url') },
  });
  const begun = await ask(`/oidc/auth?${query}`, { cookie });
  const code = /[?&]code=([^&]+)/.exec(begun?.headers.get('location') ?? '')?.[1];
  return code === undefined
    ? undefined
    : { ...client, grant_type: 'authorization_code', code, code_verifier: verifier };
}

const tokensIn = (answers: readonly (Answer | undefined)[]): readonly string[] =>
  answers.filter(isSuccess).map(({ body }) => String(body.refresh_token));

/** One user with several sessions. A step gives false if what it changed may still happen later, because there was no answer. */
function createPerson({ ask, random, journal, receive, clientId }: Town, credentials: Credentials) {
  const { username } = credentials;
  let sessions: Session[] = [];
  const newPassword = () => `a password of many words ${random(2 ** 32)} ${random(2 ** 32)}`;

  function begin(cookie: string | undefined, refreshToken?: string): void {
    if (cookie !== undefined) sessions.push(journal.began(username, cookie, refreshToken));
  }

  /** Runs a change that ends sessions. They are unknown meanwhile, and as before if it is refused. */
  async function end(by: string, those: readonly Session[], change: () => Promise<boolean | undefined>) {
    for (const session of those) session.state = 'unknown';
    const happened = await change();
    if (happened === false) for (const session of those) session.state = 'alive';
    if (happened) journal.ended(those, by);
    if (happened) sessions = sessions.filter((session) => !those.includes(session));
    return happened !== undefined;
  }

  async function post(path: string, { cookie }: Session, fields = {}): Promise<boolean | undefined> {
    const answer = await ask(path, { cookie, fields });
    return answer && isSuccess(answer);
  }

  function changed(password: string): void {
    Object.assign(credentials, { password, former: credentials.password });
    journal.changed.add(credentials);
  }

  /** The same request at two servers at once. */
  function atTwo(send: (server: number, which: number) => Promise<Answer | undefined>) {
    const server = random(3);
    return Promise.all([send(server, 0), send(server + 1, 1)]);
  }

  const steps: Readonly<Record<string, (session: Session) => Promise<unknown>>> = {
    /** Also asks with sessions that have ended. An answer that differs from the journal is stale. */
    async whoAmI() {
      const known = journal.sessions.filter(({ user, state }) => user === username && state !== 'unknown').slice(-20);
      const session = known[random(known.length)];
      const answer = await ask('/api/me', { cookie: session?.cookie });
      if (answer && session && isSuccess(answer) !== (session.state === 'alive')) journal.counts.stale += 1;
    },

    async logOut(session) {
      await end('a logout', [session], () => post('/api/logout', session));
      sessions = sessions.filter((one) => one !== session);
    },

    async endOthers(session) {
      const others = sessions.filter((one) => one !== session);
      let answer: Answer | undefined;
      const isCertain = await end('the end of all others', [...others, session], async () => {
        answer = await ask('/api/account/sessions/end-others', { cookie: session.cookie, fields: {} });
        return answer && isSuccess(answer);
      });
      // The same session goes on.
      if (isSuccess(answer)) begin(cookieOf(answer), session.refreshToken);
      return isCertain;
    },

    async changePassword(session) {
      const fields = { current_password: credentials.password, new_password: newPassword() };
      let answer: Answer | undefined;
      const isCertain = await end('a new password', sessions, async () => {
        answer = await ask('/api/account/password', { cookie: session.cookie, fields });
        return answer && isSuccess(answer);
      });
      if (!isSuccess(answer)) return isCertain;
      changed(fields.new_password);
      // The same session goes on.
      begin(cookieOf(answer), session.refreshToken);
      session.refreshToken = undefined;
      return true;
    },

    async resetPassword() {
      const asked = await ask('/api/forgot-password', { fields: { email: username } });
      const token = asked && (await receive(username));
      if (token === undefined) return true;
      return end('a reset', sessions, async () => {
        const passwords = [newPassword(), newPassword()] as const;
        const answers = await atTwo((server, which) =>
          ask('/api/reset-password', { server, fields: { token, password: passwords[which] ?? '' } }),
        );
        const [chosen] = journal.used(
          'the link of a reset',
          passwords.filter((_, which) => isSuccess(answers[which])),
        );
        if (chosen !== undefined) changed(chosen);
        return chosen === undefined && answers.includes(undefined) ? undefined : chosen !== undefined;
      });
    },

    async signInToApplication(session) {
      const verifier = digest(newPassword()).toString('hex');
      const fields = await askForCode(ask, clientId, session.cookie, verifier);
      if (fields === undefined) return;
      const redeem = (server: number) => ask('/oidc/token', { server, fields });
      // A second use revokes what the first one gave.
      const isOnce = random(2) === 0;
      const given = journal.used('a code', tokensIn(isOnce ? [await redeem(random(3))] : await atTwo(redeem)));
      session.refreshToken = isOnce ? given[0] : undefined;
    },

    async refresh(session) {
      const token = session.refreshToken;
      if (token === undefined) return;
      const given = tokensIn(await atTwo((server) => refresh(ask, clientId, token, server)));
      session.refreshToken = journal.used('a refresh token', given)[0];
    },
  };

  return {
    async step(): Promise<boolean> {
      const session = sessions[random(sessions.length)];
      if (session === undefined || random(4) === 0) begin(cookieOf(await logIn(ask, credentials)));
      else return (await steps[choices[random(choices.length)] ?? '']?.(session)) !== false;
      return true;
    },
    /** Forgets what may no longer hold. What has ended stays so. */
    retire(): void {
      for (const session of sessions) session.state = 'unknown';
      journal.changed.delete(credentials);
    },
  };
}

const choices = [
  ...['logOut', 'logOut', 'whoAmI', 'whoAmI', 'whoAmI', 'signInToApplication', 'signInToApplication'],
  ...['refresh', 'refresh', 'refresh', 'endOthers', 'changePassword', 'resetPassword'],
];

/** Takes steps until the signal. After a request without an answer another user goes on, because it may still do its work. */
export async function visit(town: Town, next: () => Credentials): Promise<void> {
  for (let person = createPerson(town, next()); !town.signal.aborted; await town.pause()) {
    if (await person.step()) continue;
    person.retire();
    person = createPerson(town, next());
  }
}

type Two<One> = readonly [One, One];

/** In each round two administrators disable each other at once. The one who is left lets the other in, and changes a user's groups. */
export async function administer(
  { ask, random, journal, signal, pause }: Town,
  both: Two<Credentials>,
  members: readonly string[],
): Promise<void> {
  const known = new Set(members);
  for (; !signal.aborted; await pause()) {
    const answers = await Promise.all([logIn(ask, both[0]), logIn(ask, both[1])]);
    if (answers.includes(undefined)) continue;
    const [one, other] = answers.map(cookieOf);
    const cookie = one ?? other;
    if (cookie === undefined) return journal.withoutAdministrator('nobody is left');
    if (one === undefined || other === undefined) {
      await ask(`/api/admin/users/${both[one === undefined ? 0 : 1].id}/enable`, { cookie, fields: {} });
      continue;
    }
    await changeGroups(cookie);
    journal.counts.rounds += 1;
    const server = random(3);
    const disabled = await Promise.all([
      ask(`/api/admin/users/${both[1].id}/disable`, { cookie: one, fields: {}, server }),
      ask(`/api/admin/users/${both[0].id}/disable`, { cookie: other, fields: {}, server: server + 1 }),
    ]);
    if (disabled.every(isSuccess)) journal.withoutAdministrator('both were disabled');
  }

  async function changeGroups(cookie: string): Promise<void> {
    const member = [...known][random(known.size)];
    if (member === undefined) return;
    const groups = journal.groups.get(member) === 'staff' ? '' : 'staff';
    journal.groups.delete(member);
    if (isSuccess(await ask(`/api/admin/users/${member}/groups`, { cookie, fields: { groups } })))
      journal.groups.set(member, groups);
    // The change may still happen.
    else known.delete(member);
  }
}
