import type { Answer, Client, Headers } from './client.ts';
import { sessionCookieOf } from './cookies.ts';
import { asJson } from './formats.ts';

/** The user who logs in. */
export interface Account {
  readonly username: string;
  readonly password: string;
}

/** The result of a login. */
export interface Login {
  readonly answer: Answer;
  /** Request headers; empty if the login set no cookie. */
  readonly cookie: Headers;
  readonly token: Headers;
}

/** Starts sessions and keeps track of them, because none may outlive the run. */
export interface Sessions {
  /** @param headers of the request, in addition to those that a browser sends */
  logIn(route: string, headers?: Headers): Promise<Login>;
  /** Whether the server accepts the credential. */
  isSignedIn(credential: Headers): Promise<boolean>;
  /** Ends all started sessions, even those that have already ended. Returns how many could not be ended. */
  end(): Promise<number>;
}

export function createSessions(client: Client, account: Account): Sessions {
  const started: Login[] = [];
  const body = new URLSearchParams({ ...account }).toString();
  const ownPage = { origin: client.origin };

  return {
    async logIn(route, headers = {}) {
      const answer = await client.ask(route, {
        headers: { ...ownPage, 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body,
      });
      const cookie = sessionCookieOf(answer);
      const token = answer.members().access_token;
      const login = {
        answer,
        cookie: cookie === undefined ? {} : { cookie: `${cookie.name}=${cookie.value}` },
        token: typeof token === 'string' ? { authorization: `Bearer ${token}` } : {},
      };
      if (cookie !== undefined || typeof token === 'string') started.push(login);
      return login;
    },

    async isSignedIn(credential) {
      const { status } = await client.ask('GET /admin/me', { headers: { ...asJson, ...credential } });
      return status === 200;
    },

    async end() {
      let living = 0;
      for (const { cookie, token } of started) {
        try {
          const headers = { ...ownPage, ...cookie, ...token };
          const { status } = await client.ask('POST /api/logout', { headers, isTheEnd: true });
          if (status !== 200 && status !== 401) living += 1;
        } catch {
          living += 1;
        }
      }
      return living;
    },
  };
}
