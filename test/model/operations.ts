import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { ChangeRefused } from '../../src/core/users/change-refused.ts';
import type { BodyFace, Face } from '../web/faces.ts';
import { type Answer, type Route, readAnswer, readCredentials, tell } from './answer.ts';
import { rememberBrowser } from './browsers.ts';
import type { SentCode } from './factors.ts';
import {
  type Action,
  add,
  askForAddress,
  askForReset,
  askToSignUp,
  askWho,
  type Credentials,
  changePassword,
  confirm,
  confirmAddress,
  deleteAccount,
  disable,
  enable,
  endAllOf,
  endOtherSessions,
  endSession,
  logIn,
  logOut,
  type Model,
  type ModelClient,
  type Outcome,
  type Presented,
  remove,
  resetPassword,
  setPassword,
  signUp,
} from './model.ts';
import { type ModelServer, newUser, weakPassword } from './server.ts';

/** The visible result of an operation on the server. */
export interface Done {
  /** The answer, if the operation is a request. */
  readonly answer?: Answer;
  /** Whether the server refused a change by an administrator. */
  readonly changeRefused?: boolean;
  /** Whether a mail with a link arrived. */
  readonly linked?: boolean;
  /** The random values that the model cannot predict. */
  readonly given: {
    readonly credentials?: Credentials;
    readonly browserCookie?: string;
    readonly userId?: string | undefined;
    readonly token?: string | undefined;
    readonly factor?: GivenFactor;
  };
}

/** What the server gives around second factors. */
interface GivenFactor {
  /** The secret of a login that waits, in its cookie or for a program. */
  readonly pending: string | undefined;
  /** The cookies as they were set. Empty if they were removed. */
  readonly pendingCookie: string | undefined;
  readonly trustedCookie: string | undefined;
  /** The secret of a new app. */
  readonly secret: string | undefined;
  readonly recoveryCodes: readonly string[];
}

/** An operation on the server, and its counterpart in the model. */
export interface Operation {
  readonly name: string;
  send(server: ModelServer): Promise<Done>;
  act(model: Model, given: Done['given']): Action;
  /** The result that the server has to show for an outcome of the model. */
  expect(outcome: Outcome): Omit<Done, 'given'>;
  /** Updates the credentials of the client as the answer says. */
  keep(model: Model, outcome: Outcome, done: Done): void;
}

/** The client and the credentials that it presents. */
export interface Sender {
  readonly number: number;
  readonly client: ModelClient;
  readonly presented: Presented;
}

export function loggingIn(
  face: BodyFace,
  sender: Sender,
  { remember, ...fields }: { username: string; password: string; remember: boolean },
): Operation {
  const sent = { ...fields, ...(remember && { remember: 'on' }) };
  return {
    ...requesting({ is: 'login', format: face.format }, face.request(sent), sender),
    name: `${face.name}, ${fields.username}`,
    act: (model, { credentials, factor }) =>
      logIn(model, { ...fields, ...sender, remember }, credentials, factor?.pending),
  };
}

/** A client that changes its own account. `current` is a password that is sent along. */
export interface OwnSender extends Sender {
  readonly current: string | undefined;
}

/** Fields without a value are not sent. */
const fieldsOf = (fields: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** @param code of a second factor */
export function confirming(face: BodyFace, sender: OwnSender, code?: SentCode): Operation {
  const { current = '' } = sender;
  return {
    ...requesting({ is: 'confirm', format: face.format }, face.request({ password: current, ...code }), sender),
    name: face.name,
    act: (model, { credentials }) => confirm(model, { ...sender, current, code }, credentials),
  };
}

/** @param password undefined for a weak one */
export function changingPassword(face: BodyFace, sender: OwnSender, password: string | undefined): Operation {
  const fields = fieldsOf({ current_password: sender.current, new_password: password ?? weakPassword });
  return {
    ...requesting({ is: 'password', format: face.format }, face.request(fields), sender),
    name: face.name,
    act: (model, { credentials }) => changePassword(model, sender, password, credentials),
  };
}

export function deleting(face: BodyFace, sender: OwnSender): Operation {
  const fields = fieldsOf({ current_password: sender.current });
  return {
    ...requesting({ is: 'delete', format: face.format }, face.request(fields), sender),
    name: face.name,
    act: (model) => deleteAccount(model, sender),
  };
}

/** @param id undefined for all other sessions */
export function endingSessions(face: BodyFace, sender: Sender, id: string | undefined): Operation {
  const is = id === undefined ? 'end others' : 'end session';
  return {
    ...requesting({ is, format: face.format }, face.request({ id: id ?? 'none' }), sender),
    name: face.name,
    act: (model, { credentials }) =>
      id === undefined
        ? endOtherSessions(model, { ...sender, current: undefined }, credentials)
        : endSession(model, { ...sender, current: undefined }, id),
  };
}

/** The forms that ask for a link. */
export type Asking = 'forgot-password' | 'sign-up' | 'email';

export function asking(is: Asking, face: BodyFace, sender: OwnSender, address: string): Operation {
  const fields = fieldsOf({ email: address, current_password: is === 'email' ? sender.current : undefined });
  const requested = requesting({ is, format: face.format }, face.request(fields), sender);
  return {
    ...requested,
    name: `${face.name}, ${address}`,
    async send(server) {
      const done = await requested.send(server);
      const token = await server.takeToken(address);
      return { ...done, linked: token !== undefined, given: { ...done.given, token } };
    },
    act(model, { token }) {
      if (is === 'email') return askForAddress(model, sender, address, token);
      return (is === 'sign-up' ? askToSignUp : askForReset)(model, sender.client, address, token);
    },
    expect: (outcome) => ({ ...requested.expect(outcome), linked: outcome.is === 'asked' && outcome.linked }),
  };
}

export function openingLink(
  is: 'reset-password' | 'confirm-email',
  face: BodyFace,
  sender: Sender,
  token: string,
  password?: string,
): Operation {
  const fields = is === 'confirm-email' ? { token } : { token, password: password ?? weakPassword };
  return {
    ...requesting({ is, format: face.format }, face.request(fields), sender),
    name: face.name,
    act(model) {
      if (is === 'reset-password') return resetPassword(model, token, password);
      const { presented } = sender;
      const none = { cookie: undefined, accessToken: undefined };
      return confirmAddress(model, token, face.format === 'html' ? presented : none);
    },
  };
}

/** @param username whose names the account gets */
export function finishing(
  face: BodyFace,
  sender: Sender,
  token: string,
  username: string,
  password?: string,
): Operation {
  const { username: _, ...user } = newUser(username);
  const names = { first_name: user.firstName, last_name: 'Example' };
  const fields = { token, ...names, password: password ?? weakPassword };
  const requested = requesting({ is: 'finish', format: face.format }, face.request(fields), sender);
  return {
    ...requested,
    name: face.name,
    async send(server) {
      const done = await requested.send(server);
      const account = await server.services.users.findByUsername(username);
      return { ...done, given: { ...done.given, userId: account?.user.id } };
    },
    act: (model, { userId, credentials }) =>
      signUp(
        model,
        {
          token,
          user: password === undefined ? undefined : { ...user, password, weak: false },
          presented: sender.presented,
        },
        userId,
        credentials,
      ),
  };
}

export function loggingOut(face: Face, sender: Sender): Operation {
  return {
    ...requesting({ is: 'logout', format: face.format }, face.request, sender),
    name: face.name,
    act: (model) => logOut(model, sender.presented, sender.client),
  };
}

/** A face of a route that only reads the session. */
export interface LookFace extends Face {
  readonly route: Route;
}

export function looking({ name, request, route }: LookFace, sender: Sender): Operation {
  return {
    ...requesting(route, request, sender),
    name,
    *act(model) {
      yield;
      return askWho(model, sender.presented);
    },
  };
}

export function request(server: ModelServer, options: InjectOptions, sender: Sender): Promise<LightMyRequestResponse> {
  const headers = { ...options.headers, ...headersOf(sender) };
  return server.send({ ...options, headers, remoteAddress: sender.client.address });
}

function headersOf({ client, presented: { cookie, accessToken } }: Sender): Record<string, string> {
  const { browserCookie: browser, pending, trusted } = client;
  const cookies = Object.entries(fieldsOf({ session: cookie, browser, pending, trusted })).map((pair) =>
    pair.join('='),
  );
  return {
    ...(cookies.length > 0 && { cookie: cookies.join('; ') }),
    ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
  };
}

/** The secret and the codes are on a page, or in JSON. */
function readFactor({ cookies, body }: LightMyRequestResponse): GivenFactor {
  const cookieOf = (wanted: string) => cookies.find(({ name }) => name === wanted)?.value;
  const pendingCookie = cookieOf('pending');
  return {
    pendingCookie,
    pending: pendingCookie || /"mfa_token":"([^"]+)"/.exec(body)?.[1],
    trustedCookie: cookieOf('trusted'),
    secret: /[?]secret=([A-Z2-7]+)/.exec(body)?.[1],
    recoveryCodes: [...new Set(body.match(/\b[0-9A-Z]{4}(-[0-9A-Z]{4}){5}\b/g))],
  };
}

export function requesting(
  route: Route,
  options: InjectOptions,
  sender: Sender,
): Pick<Operation, 'send' | 'expect' | 'keep'> {
  return {
    async send(server) {
      const response = await request(server, options, sender);
      const credentials = readCredentials(response);
      const browserCookie = response.cookies.find(({ name }) => name === 'browser')?.value;
      return {
        answer: readAnswer(response),
        given: {
          ...(credentials && { credentials }),
          ...(browserCookie !== undefined && { browserCookie }),
          factor: readFactor(response),
        },
      };
    },
    expect: (outcome) => ({ answer: tell(route, outcome, sender.presented) }),
    keep(model, outcome, { answer, given: { credentials, browserCookie, factor } }) {
      const client = model.clients[sender.number];
      if (client === undefined) throw new TypeError('there is no such client');
      if (answer?.sessionCookie !== 'kept') client.cookie = credentials?.cookie;
      if (factor?.pendingCookie !== undefined) client.pending = factor.pendingCookie || undefined;
      if (factor?.trustedCookie !== undefined) client.trusted = factor.trustedCookie;
      if (!('fingerprint' in outcome) || credentials === undefined) return;
      client.accessToken = credentials.accessToken ?? client.accessToken;
      rememberBrowser(client, browserCookie, outcome);
      model.given.push(credentials);
    },
  };
}

/** Every change that an administrator can make to a user. */
export const changes = ['disable', 'enable', 'remove', 'add', 'setPassword', 'endSessions'] as const;
export type Change = (typeof changes)[number];

export function changing(change: Change, username: string, password: string): Operation {
  return {
    name: `janua: ${change} ${username}`,
    async send({ services }) {
      try {
        return { changeRefused: false, given: await carryOut(services.administration, change, username, password) };
      } catch (error) {
        if (error instanceof ChangeRefused) return { changeRefused: true, given: {} };
        throw error;
      }
    },
    act(model, { userId }) {
      const actions = {
        disable: () => disable(model, username),
        enable: () => enable(model, username),
        remove: () => remove(model, username),
        add: () => add(model, { ...newUser(username), password, weak: false }, userId),
        setPassword: () => setPassword(model, username, password),
        endSessions: () => endAllOf(model, username),
      };
      return actions[change]();
    },
    expect: ({ is }) => ({ changeRefused: is === 'refused' }),
    keep: () => {},
  };
}

async function carryOut(
  administration: ModelServer['services']['administration'],
  change: Change,
  username: string,
  password: string,
): Promise<Done['given']> {
  if (change === 'add') {
    const { firstName } = newUser(username);
    const { id } = await administration.add({ username, firstName, lastName: 'Example', password });
    return { userId: id };
  }
  if (change === 'endSessions') await administration.endSessions({ username });
  else await administration[change](username, password);
  return {};
}
