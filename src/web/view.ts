import type { FastifyReply } from 'fastify';
import type { Page, Repeated } from './page.ts';

/** The model of each template that is a page, by the path of the template below `src/`. The template also gets the members of `Page`. */
// biome-ignore lint/suspicious/noEmptyInterface: each capability adds its own
export interface Pages {}

/** The model of each template that pages include. Such a template gets nothing else. */
// biome-ignore lint/suspicious/noEmptyInterface: each capability adds its own
export interface Partials {}

/** A page that a route shows. `Answer` is what its handler returns. */
export interface View<Answer = never> {
  readonly template: keyof Pages;
  /** Makes the model of the template. It holds every decision, so the template has none. */
  readonly describe: (answer: Answer, page: Page) => object;
}

/** The answer that a view shows. */
export type Answer<Of> = Of extends View<infer Answered> ? Answered : never;

/**
 * The result of the handler of a page, unless `addAction` has checked it: the answer that its view shows, or the reply that it has sent.
 */
export type Shown<Of> = Promise<Answer<Of> | FastifyReply>;

/** Without `describe`, the answer of the handler is the model. */
export function view<const Name extends keyof Pages>(template: Name): View<Pages[Name] & Repeated>;
export function view<const Name extends keyof Pages, Answer>(
  template: Name,
  describe: (answer: Answer, page: Page) => Pages[Name],
): View<Answer & Repeated>;
export function view(template: keyof Pages, describe: View<object>['describe'] = (answer) => answer): View<object> {
  return { template, describe };
}
