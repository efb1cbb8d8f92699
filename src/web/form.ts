import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FieldFault } from '../core/access/refusal.ts';
import {
  type Action,
  type Answered,
  addAction,
  type Field,
  type Fields,
  type Input,
  readPage,
  textOf,
} from './action.ts';
import { json, listOf, object, type Response, text } from './openapi/responses.ts';
import type { App } from './types.ts';
import type { View } from './view.ts';

/** The texts that the user typed or that a link contained, without passwords. */
type Typed = Readonly<Record<string, string | undefined>>;

/** GET shows the form, POST acts. A form that is refused is shown again with each fault beside its field (422). */
export interface Form<F extends Fields, Shown = unknown>
  extends Pick<Action<F>, 'summary' | 'description' | 'tag' | 'params' | 'answer' | 'status' | 'browser'> {
  readonly config?: Pick<Action['config'], 'signedIn' | 'scope' | 'freshProof' | 'machines' | 'refusals' | 'takesTurn'>;
  /** The page. It gets `values`, `errors`, the first `faulty` field, and the result of `show`. */
  readonly view: View<Shown>;
  readonly fields: F;
  readonly shown?: Response;
  /** The query of the page besides its fields, for the OpenAPI document. */
  readonly query?: Action['query'];
  /** Makes the model of the page, besides the typed values. May throw a refusal. */
  show?(request: FastifyRequest, typed: Typed): NoInfer<Shown> | Promise<NoInfer<Shown>>;
  /** @throws {InvalidFields} to show the form again */
  submit(request: FastifyRequest, reply: FastifyReply, input: Input<F>): Answered<NoInfer<Shown>>;
}

const fieldNames = object('The fields to send', { fields: listOf(text('email')) });

export function addForm<const F extends Fields, Shown>(
  app: App,
  addresses: readonly [page: string, api: string],
  form: Form<F, Shown>,
) {
  const { config: given, view, fields, show: _, shown, query, submit, ...action } = form;
  const config = { ...given, view };
  const names = Object.keys(fields);

  async function show(request: FastifyRequest, typed: Typed, faults: readonly FieldFault[]): Promise<Shown> {
    const shown = (await form.show?.(request, typed)) as Shown;
    return { fields: names, values: typed, ...describeFaultsForPage(faults), ...shown };
  }

  const linked = Object.entries(fields).filter(([, { inLink }]) => inLink);
  addAction(app, addresses, {
    method: 'GET',
    summary: `${form.summary}: the form`,
    tag: form.tag,
    ...(form.params && { params: form.params }),
    config,
    ...((query || linked.length > 0) && {
      query: {
        ...Object.fromEntries(
          linked.map(([name, { description, examples }]) => [name, { description, ...(examples && { examples }) }]),
        ),
        ...query,
      },
    }),
    answer: shown ?? json('The fields to send', fieldNames, { fields: names }),
    browser: 'The page with the form',
    handle: (request) => show(request, linkedValues(fields, request.query), []),
  });

  addAction(app, addresses, {
    ...action,
    method: 'POST',
    config,
    fields,
    handle: submit,
    async refuse(error, request, reply) {
      // `show` refuses an expired link before any field is reported, for programs too.
      const typed = typedValues(fields, request.body);
      const model = await readPage(request, reply, () => show(request, typed, error.faults));
      if (request.format === 'json') throw error;
      return reply.code(422).send(model);
    },
  });
}

/** Shows a page again with the fault of each field (422). A program gets the error. @param show makes the rest of the model */
export const showPageWithFaults =
  (show: (request: FastifyRequest) => object | Promise<object>): NonNullable<Action['refuse']> =>
  async (error, request, reply) => {
    if (request.format === 'json') throw error;
    const shown = await readPage(request, reply, () => show(request));
    return reply.code(422).send({ ...shown, ...describeFaultsForPage(error.faults) });
  };

const describeFaultsForPage = (faults: readonly FieldFault[]) => ({
  errors: Object.fromEntries(faults.toReversed().map((fault) => [fault.field, fault])),
  faulty: faults[0]?.field,
});

/** Passwords are never sent back. */
const typedValues = (fields: Fields, body: unknown): Typed =>
  pickTexts(body, ([, { format }]) => format !== 'password', fields);

const linkedValues = (fields: Fields, query: unknown): Typed => pickTexts(query, ([, { inLink }]) => inLink, fields);

function pickTexts(sent: unknown, isWanted: (entry: [string, Field]) => boolean | undefined, fields: Fields): Typed {
  const texts = (sent ?? {}) as Readonly<Record<string, unknown>>;
  const wanted = Object.entries(fields).filter(isWanted);
  return Object.fromEntries(
    wanted.flatMap(([name, field]) => {
      const text = textOf(field, texts[name]);
      // A lone surrogate cannot be put into a link.
      return typeof text === 'string' ? [[name, text.toWellFormed()]] : [];
    }),
  );
}
