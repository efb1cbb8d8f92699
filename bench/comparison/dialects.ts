import type { Answer } from '../processes/connection.ts';
import { loginRequest, postRequest } from '../requests.ts';

/** How a kind of server is talked to. */
export interface Dialect {
  /** Paths: of what answers anybody 200, who am I, and a page to log in, where there is one. */
  readonly health: string;
  readonly me: string;
  readonly page?: string;
  readonly login?: (username: string, password: string) => string;
  /** What the answer to a login contains. */
  readonly loggedIn?: string;
  /** The access token in the answer to a login, where there is one. */
  readonly tokenIn?: (answer: Answer) => string | undefined;
}

export const janua: Dialect = {
  health: '/health/live',
  me: '/api/me',
  page: '/auth/login',
  login: (username, password) => loginRequest(username, password),
  loggedIn: '"access_token":"',
  tokenIn: ({ body }) => JSON.parse(body.toString()).access_token,
};

export const expressPassport: Dialect = {
  health: '/health',
  me: '/me',
  login: (username, password) => loginRequest(username, password, '/login'),
  loggedIn: 'Logged in',
};

/** Its own endpoints, as its client calls them, and the header of its bearer plugin. */
export const betterAuth: Dialect = {
  health: '/api/auth/ok',
  me: '/api/auth/get-session',
  login: (email, password) => postRequest('/api/auth/sign-in/email', { email, password }),
  loggedIn: '"user":{',
  tokenIn: ({ head }) => /\r\nset-auth-token: *([^\r]*)/i.exec(head)?.[1],
};

export const betterAuthOwnRoute: Dialect = { ...betterAuth, me: '/me' };

export const bare: Dialect = { health: '/', me: '/' };
