import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { ChangeRefused } from '../../src/users/administration.ts';
import type { BodyFace, Face } from '../web/faces.ts';
import { type Answer, type Route, readAnswer, readCredentials, tell } from './answer.ts';
import {
  type Action,
  add,
  askWho,
  type Credentials,
  disable,
  enable,
  endAllOf,
  logIn,
  logOut,
  type Model,
  type ModelClient,
  type Outcome,
  type Presented,
  rememberBrowser,
  remove,
  setPassword,
} from './model.ts';
import { type ModelServer, newUser } from './server.ts';

/** The visible result of an operation on the server. */
export interface Done {
  /** The answer, if the operation is a request. */
  readonly answer?: Answer;
  /** Whether the server refused a change by an administrator. */
  readonly changeRefused?: boolean;
  /** The random values that the model cannot predict. */
  readonly given: { readonly credentials?: Credentials; readonly browserCookie?: string; readonly userId?: string };
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

export function loggingIn(face: BodyFace, sender: Sender, fields: { username: string; password: string }): Operation {
  return {
    ...requesting({ is: 'login', format: face.format }, face.request(fields), sender),
    name: `${face.name}, ${fields.username}`,
    act: (model, { credentials }) => logIn(model, { ...fields, ...sender }, credentials),
  };
}

export function loggingOut(face: Face, sender: Sender): Operation {
  return {
    ...requesting({ is: 'logout', format: face.format }, face.request, sender),
    name: face.name,
    act: (model) => logOut(model, sender.presented),
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

function headersOf({ client: { browserCookie }, presented: { cookie, accessToken } }: Sender): Record<string, string> {
  const cookies = [
    ...(cookie === undefined ? [] : [`session=${cookie}`]),
    ...(browserCookie === undefined ? [] : [`browser=${browserCookie}`]),
  ];
  return {
    ...(cookies.length > 0 && { cookie: cookies.join('; ') }),
    ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
  };
}

function requesting(route: Route, options: InjectOptions, sender: Sender): Pick<Operation, 'send' | 'expect' | 'keep'> {
  return {
    async send(server) {
      const response = await request(server, options, sender);
      const credentials = readCredentials(response);
      const browserCookie = response.cookies.find(({ name }) => name === 'browser')?.value;
      return {
        answer: readAnswer(response),
        given: { ...(credentials && { credentials }), ...(browserCookie !== undefined && { browserCookie }) },
      };
    },
    expect: (outcome) => ({ answer: tell(route, outcome, sender.presented) }),
    keep(model, outcome, { answer, given: { credentials, browserCookie } }) {
      const client = model.clients[sender.number];
      if (client === undefined) throw new TypeError('there is no such client');
      if (answer?.sessionCookie !== 'kept') client.cookie = credentials?.cookie;
      if (outcome.is !== 'logged-in' || credentials === undefined) return;
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
