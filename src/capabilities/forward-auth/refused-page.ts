import type { Page } from '../../web/page.ts';
import { view } from '../../web/view.ts';

/** The answer to a browser that does not keep the cookie, or to a user without the needed group. */
export type RefusedRequest = { readonly request_id: string } & (
  | { readonly again: string; readonly username?: undefined }
  | { readonly host: string; readonly username: string; readonly another: string }
);

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/forward-auth/refused': ReturnType<typeof describe>;
  }
}

function describe(refused: RefusedRequest, { words, interpolate }: Page) {
  const { request_id } = refused;
  if (refused.username === undefined) return { request_id, title: words.forward.refusedTitle, again: refused.again };
  const { host, username, another } = refused;
  const lead = interpolate(words.forward.openedAs, { host, name: username });
  return { request_id, title: words.problem.titles[403], barred: { lead, another } };
}

export const refusedView = view('capabilities/forward-auth/refused', describe);
