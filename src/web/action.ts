import { setImmediate } from 'node:timers/promises';
import type { FastifyContextConfig, FastifyReply, FastifyRequest } from 'fastify';
import { insufficientUserAuthentication } from '../core/access/fresh-proof.ts';
import { type Answer, type FieldFault, InvalidFields, Refusal } from '../core/access/refusal.ts';
import { createTurns } from '../ground/faults/turns.ts';
import { endSiteOf } from '../ground/text/networks.ts';
import { acceptedBodyTypes } from './hooks/bodies.ts';
import { signedInOf } from './hooks/credentials.ts';
import { exampleOf, page, type Response, redirect, settingCookies } from './openapi/responses.ts';
import type { App } from './types.ts';
import type { View } from './view.ts';

export interface Field {
  readonly description: string;
  readonly required?: true;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: 'password';
  /** Whether a link to the page may fill in the field by its query. */
  readonly inLink?: true;
  /** The first of these values is in the example of a body in the OpenAPI document. */
  readonly examples?: readonly (string | number)[];
  /** Whether a JSON body may hold the field as an object. The handler gets its text. */
  readonly json?: true;
  /** Whether a JSON body may hold the field as a whole number. The handler gets its text. */
  readonly number?: true;
  /** Whether a JSON body may hold the field as a boolean. The handler gets `true` or `false`. */
  readonly boolean?: true;
  /** Whether the field may come as a list, or several times in a form. The handler gets the texts, separated by spaces. */
  readonly list?: true;
}

export type Fields = Readonly<Record<string, Field>>;

/** The input of the handler: required fields, and optional fields if sent. */
export type Input<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends { required: true } ? string : string | undefined;
};

/** An action that users take on pages and programs by JSON, with one handler. */
export interface Action<F extends Fields = Fields, Shown = unknown> {
  readonly method: 'GET' | 'POST';
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  /**
   * GET shows the handler's result in the `view`. POST redirects the browser with `reply.proceed`, or shows a result that is shown only
   * once.
   */
  readonly config: FastifyContextConfig & { readonly view?: View<Shown> };
  readonly fields?: F;
  /** The parts of the address that vary, such as `:id`. */
  readonly params?: Readonly<Record<string, Pick<Field, 'description' | 'examples'>>>;
  /** The query of a link to the page, for the OpenAPI document. Any query is accepted. */
  readonly query?: Readonly<Record<string, Pick<Field, 'description' | 'examples'>>>;
  readonly answer: Response;
  /** The status of `answer`. Default: 200. */
  readonly status?: 201 | 202;
  /** The response for a browser, for the OpenAPI document: the content of the page, or the target of the redirect. */
  readonly browser: string;
  /** Whether the handler reads the body itself. The body may have any fields of any type. */
  readonly readsBody?: true;
  /** Answers fields that cannot be accepted. Default: a refusal. */
  refuse?(error: InvalidFields, request: FastifyRequest, reply: FastifyReply): unknown;
  handle(request: FastifyRequest, reply: FastifyReply, input: Input<F>): Answered<NoInfer<Shown>>;
}

/** The result of a handler: the model of its page, or the reply that it has sent. */
export type Answered<Shown> = Shown | FastifyReply | Promise<Shown | FastifyReply>;

/** Answers a field that is no text, such as a number or a list. */
const unreadableFields: Answer = {
  name: 'unreadable-fields',
  status: 400,
  detail: 'Send each field once, as text',
};

/** Lists the invalid fields for programs, and in the OpenAPI document. Pages show each fault beside its field. */
export const invalidFields: Answer = { name: 'invalid-fields', status: 422, detail: 'Some fields cannot be accepted.' };

/** If all fields of a form come from its link, a wrong value makes the link invalid. No field is then reported as invalid. */
const refusalsOf = (fields: Fields, isForm: boolean): Answer[] =>
  isForm && Object.values(fields).every(({ inLink }) => inLink)
    ? [unreadableFields]
    : [unreadableFields, invalidFields];

/**
 * Limits of reading administrators' pages in a process: pages at once, pages of one administrator at once, pages that wait, and
 * milliseconds that they wait at most.
 */
export const adminPages = { atOnce: 4, ofOne: 1, waiting: 100, waitingMilliseconds: 10_000 };

/** The same limits for the pages that list what an account has. */
export const accountPages = { ...adminPages, atOnce: 8, waiting: 1000 };

const turnsOf = (part: string, { atOnce, waiting }: typeof adminPages) =>
  createTurns({ part, atOnce, waiting, rests: true });

const adminTurns = turnsOf('Administration', adminPages);
const accountTurns = turnsOf('Accounts', accountPages);

/**
 * Reads the model of a page. A page for administrators may read and compare thousands of rows, and an account may have hundreds of sessions
 * and grants. Such a page waits for its turn, unless its client leaves. Other requests run between two such pages.
 * @throws {Unavailable} if it has waited too long, if too many wait, or if the client has left
 */
export async function readPage<Model>(
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => Model | Promise<Model>,
): Promise<Model> {
  const { scope, takesTurn } = request.routeOptions.config;
  if (scope === undefined && !takesTurn) return read();
  const { id } = signedInOf(request).user;
  const turns = scope === undefined ? accountTurns : adminTurns;
  // A person may have many accounts, but seldom many networks.
  const parties = scope === undefined ? [endSiteOf(request.caller.address), id] : [id];
  const work = { places: [{ key: id, atOnce: adminPages.ofOne }], parties };
  const inTurn = async () => {
    await setImmediate();
    return read();
  };
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  reply.raw.once('close', leave);
  const giveUp = AbortSignal.any([leaving.signal, AbortSignal.timeout(adminPages.waitingMilliseconds)]);
  return turns.take(work, inTurn, giveUp).finally(() => reply.raw.off('close', leave));
}

/** Adds an action at the address of its page and at the address of its API, such as `/auth/logout` and `/api/logout`. */
export function addAction<const F extends Fields, Shown>(
  app: App,
  addresses: readonly [page: string, api: string],
  action: Action<F, Shown>,
) {
  const { method, summary, description, tag, fields, params, query, answer, status = 200, browser, readsBody } = action;
  const read = readsBody ? undefined : fields;
  const refusals = read ? refusalsOf(read, action.refuse !== undefined) : [];
  const { freshProof, view } = action.config;
  const isPage = method === 'GET' && view !== undefined;
  const config = {
    ...action.config,
    refusals: [
      ...refusals,
      ...(freshProof && !isPage ? [insufficientUserAuthentication] : []),
      ...(action.config.refusals ?? []),
    ],
    // A POST without a scope changes the user's own account, so by default it refuses a token that is limited to some scopes.
    refusesLimited:
      action.config.refusesLimited ??
      (method === 'POST' && Boolean(action.config.signedIn) && action.config.scope === undefined),
  };
  const body = fields && {
    type: 'object',
    description: 'As a form or as JSON',
    required: Object.keys(fields).filter((name) => fields[name]?.required),
    properties: Object.fromEntries(
      Object.entries(fields).map(([name, { required: _, inLink: __, json, number, boolean, list, ...field }]) => [
        name,
        { type: typeOf({ json, number, boolean, list }), ...(list && { items: { type: 'string' } }), ...field },
      ]),
    ),
  };
  const [pageAddress] = addresses;
  const apiResponses = { [status]: answer };
  const withPage = { ...answer, content: { ...page(browser).content, ...answer.content } };
  const pageResponses =
    method === 'POST'
      ? { [status]: config.view ? withPage : answer, 303: settingCookies(redirect(browser)) }
      : { [status]: withPage };

  /**
   * A form that is filled in before the proof would be lost, so its page demands the proof first. Programs get no form, and need the proof
   * when they act.
   */
  async function requireProof(request: FastifyRequest): Promise<void> {
    if (freshProof === undefined || (isPage && request.format === 'json')) return;
    const { scope, showsList } = freshProof;
    if (isPage && scope !== undefined && !signedInOf(request).scopes.includes(scope)) return;
    if (isPage && showsList) return request.lookForProof();
    const { current_password }: Fields = read ?? {};
    const sent = current_password && readFields({ current_password }, request.body);
    await request.proveFresh(sent?.current_password);
  }

  for (const url of addresses) {
    app.route({
      method,
      url,
      config,
      schema: {
        summary,
        ...(description && { description }),
        tags: [tag],
        ...(params && { params: { type: 'object', properties: params } }),
        ...(query && { querystring: { type: 'object', properties: query } }),
        ...(body && { consumes: [...acceptedBodyTypes], body: { ...body, examples: [exampleOf(body)] } }),
        response: url === pageAddress ? pageResponses : apiResponses,
      },
      async handler(request, reply) {
        if (request.format === 'json') (reply as FastifyReply).code(status);
        try {
          // The proof comes before the check of the fields, because a form that is shown again may hold data for its owner only.
          await requireProof(request);
          const input = read ? readFields(read, request.body) : ({} as Input<F>);
          const handle = () => action.handle(request, reply, input);
          return await (method === 'GET' || config.takesTurn ? readPage(request, reply, handle) : handle());
        } catch (error) {
          if (error instanceof InvalidFields && action.refuse) return action.refuse(error, request, reply);
          throw error;
        }
      },
    });
  }
}

/** @throws {InvalidFields} for a missing or too long field; {Refusal} if a field is no text */
export function readFields<F extends Fields>(fields: F, body: unknown): Input<F> {
  const sent = body ?? {};
  if (typeof sent !== 'object' || Array.isArray(sent)) throw new Refusal(unreadableFields);
  const input: Record<string, string> = {};
  const faults: FieldFault[] = [];
  for (const [field, rule] of Object.entries(fields)) {
    const given = (sent as Record<string, unknown>)[field];
    const value = textOf(rule, given);
    if (value !== undefined && typeof value !== 'string') throw new Refusal(unreadableFields);
    const fault = findFault(rule, value);
    if (fault !== undefined) faults.push({ field, ...fault });
    if (value !== undefined) input[field] = value;
  }
  if (faults.length > 0) throw new InvalidFields(...faults);
  return input as Input<F>;
}

/** Converts a field of another allowed type to its text. */
export function textOf({ json, number, boolean, list }: Field, given: unknown): unknown {
  if (json && typeof given === 'object') return JSON.stringify(given);
  if ((number && Number.isSafeInteger(given)) || (boolean && typeof given === 'boolean')) return String(given);
  return list && Array.isArray(given) && given.every((one) => typeof one === 'string') ? given.join(' ') : given;
}

function typeOf({
  json,
  number,
  boolean,
  list,
}: { [Kind in 'json' | 'number' | 'boolean' | 'list']: true | undefined }) {
  const other = (json && 'object') ?? (number && 'integer') ?? (boolean && 'boolean') ?? (list && 'array');
  return other === undefined ? 'string' : ['string', other];
}

function findFault(
  { required, maxLength = 254, format, boolean }: Field,
  value = '',
): Omit<FieldFault, 'field'> | undefined {
  if (required && value.trim() === '') return { code: 'missing' };
  // Counted in code points, like `maxLength` in JSON Schema.
  if ([...value].length > maxLength) return { code: 'too-long', values: { count: maxLength } };
  // Not every database stores U+0000. A password is stored as its hash.
  const isPlain = format === 'password' || !value.includes('\0');
  if (boolean && !['', 'true', 'false'].includes(value)) return { code: 'malformed' };
  return isPlain && value.isWellFormed() ? undefined : { code: 'malformed' };
}
