import type { Answer } from '../processes/connection.ts';
import { loginRequest, postRequest } from '../requests.ts';

/** The paths and formats that a kind of server uses. */
export interface Dialect {
  /** A path that answers 200 without a session. */
  readonly health: string;
  /** The path that tells the signed-in user. */
  readonly me: string;
  /** The path of the login page. Undefined if the server has none. */
  readonly page?: string;
  readonly login?: (username: string, password: string) => string;
  /** Text that the response to a login contains. */
  readonly loggedIn?: string;
  /** Reads the access token from the response to a login. Undefined if the server has no tokens. */
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

/** Uses the endpoints that better-auth's client calls, and the header of its bearer plugin. */
export const betterAuth: Dialect = {
  health: '/api/auth/ok',
  me: '/api/auth/get-session',
  login: (email, password) => postRequest('/api/auth/sign-in/email', { email, password }),
  loggedIn: '"user":{',
  tokenIn: ({ head }) => /\r\nset-auth-token: *([^\r]*)/i.exec(head)?.[1],
};

export const betterAuthOwnRoute: Dialect = { ...betterAuth, me: '/me' };

export const bare: Dialect = { health: '/', me: '/' };
