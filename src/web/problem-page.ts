import type { Page } from './page.ts';
import { view } from './view.ts';

interface Refused {
  readonly signedIn: boolean;
  readonly status: number;
  /** The name of the refusal, which has a text of its own. */
  readonly refusal: string | undefined;
  readonly again: string | undefined;
  readonly next: unknown;
  readonly scope: string | undefined;
  readonly request_id: string | undefined;
}

declare module './view.ts' {
  interface Pages {
    'web/problem': ReturnType<typeof describe>;
  }
}

const signUp = '/auth/sign-up';

function describe({ signedIn, status, refusal, next, scope, request_id, ...refused }: Refused, page: Page) {
  const { words, path, adminPages, withNext } = page;
  const { problem, login } = words;
  const [titles, sentences]: Readonly<Record<string, string>>[] = [problem.titles, problem.sentences];
  const refusals: Readonly<Record<string, string>> = words.refusals;
  const again = signedIn && refused.again === signUp ? undefined : refused.again;
  const [list] = adminPages.findLast(([address]) => path.startsWith(address)) ?? adminPages[0] ?? [];
  const inAdmin = signedIn && path.startsWith('/admin') && list !== undefined;
  return {
    ...{ signedIn, status, request_id, inAdmin },
    title: titles?.[status] ?? problem.titles.other,
    lead: scope
      ? page.interpolate(problem.missingScope, { scope, name: page.site.name })
      : (refusals[refusal ?? ''] ?? sentences?.[status] ?? problem.sentences.other),
    button: inAdmin
      ? { address: [403, 404].includes(status) ? list : path, text: problem.back }
      : again
        ? { address: withNext(again, next), text: placeOf(again, words) ?? problem.again }
        : { address: page.home, text: problem.home },
    login: !inAdmin && again === signUp ? { address: withNext('/auth/login', next), text: login.submit } : undefined,
  };
}

const placeOf = (path: string, { login, upstream }: Page['words']): string | undefined =>
  new Map([
    ['/auth/login', login.submit],
    [signUp, login.signUp],
    ['/account/sign-in-methods', upstream.title],
  ]).get(path);

/** The page of a refusal, and of a failure. */
export const problemView = view('web/problem', describe);
