import type { FastifyContextConfig, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { acceptedBodyTypes } from './hooks/bodies.ts';
import { page, type Response, redirect, settingCookies } from './openapi/responses.ts';
import type { App } from './types.ts';

/** A string in a form or a JSON body. */
export interface Field {
  readonly description: string;
  readonly required?: true;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: 'password';
  /** Whether a link to the page may fill it in by its query. */
  readonly inLink?: true;
  readonly examples?: readonly string[];
  /** Whether a JSON body may hold it as an object. The handler gets its text. */
  readonly json?: true;
}

export type Fields = Readonly<Record<string, Field>>;

/** What the handler gets: required fields, and others if sent. With `attachValidation` it must check `validationError` before it trusts this. */
export type Input<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends { required: true } ? string : string | undefined;
};

/** An action that users take on pages and programs by JSON, with one handler. */
export interface Action<F extends Fields = Fields> {
  readonly method: 'GET' | 'POST';
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  /** GET shows the handler's result in the `view`. POST redirects the browser with `reply.proceed`, or shows what is shown once. */
  readonly config: FastifyContextConfig;
  readonly fields?: F;
  /** What a link to the page may carry, for the OpenAPI document. Any query is accepted. */
  readonly query?: Readonly<Record<string, Pick<Field, 'description' | 'examples'>>>;
  readonly example?: object;
  readonly answer: Response;
  /** The status of that. Default: 200. */
  readonly status?: 201 | 202;
  /** What a browser gets, for the OpenAPI document: the content of the page, or the target of the redirect. */
  readonly browser: string;
  readonly route?: Partial<Pick<RouteOptions, 'attachValidation' | 'preValidation'>>;
  handle(request: FastifyRequest, reply: FastifyReply, input: Input<F>): unknown;
}

/** Adds an action at the address of its page and at the address of its API, such as `/auth/logout` and `/api/logout`. */
export function addAction<const F extends Fields>(
  app: App,
  addresses: readonly [page: string, api: string],
  action: Action<F>,
) {
  const { method, summary, description, tag, config, fields, query, answer, status = 200, browser } = action;
  const withBody = fields && {
    consumes: [...acceptedBodyTypes],
    body: {
      type: 'object',
      description: 'As a form or as JSON',
      required: Object.keys(fields).filter((name) => fields[name]?.required),
      properties: Object.fromEntries(
        Object.entries(fields).map(([name, { required: _, inLink: __, json, ...field }]) => [
          name,
          { type: json ? ['string', 'object'] : 'string', ...field },
        ]),
      ),
      ...(action.example && { examples: [action.example] }),
    },
  };
  const [pageAddress] = addresses;
  const apiResponses = { [status]: answer };
  const withPage = { ...answer, content: { ...page(browser).content, ...answer.content } };
  const pageResponses =
    method === 'POST'
      ? { [status]: config.view ? withPage : answer, 303: settingCookies(redirect(browser)) }
      : { [status]: withPage };
  for (const url of addresses) {
    app.route({
      ...action.route,
      method,
      url,
      config,
      schema: {
        summary,
        ...(description && { description }),
        tags: [tag],
        ...(query && { querystring: { type: 'object', properties: query } }),
        ...withBody,
        response: url === pageAddress ? pageResponses : apiResponses,
      },
      handler: (request, reply) => {
        if (request.format === 'json') (reply as FastifyReply).code(status);
        return action.handle(request, reply, (request.body ?? {}) as Input<F>);
      },
    });
  }
}
