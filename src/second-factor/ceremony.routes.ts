import { createSecret } from '../sessions/credential.ts';
import { type Action, addAction, type Fields, type Input } from '../web/action.ts';
import { ceremonyCookie } from '../web/cookies.ts';
import { json, settingCookies } from '../web/openapi/responses.ts';
import type { App, Request } from '../web/types.ts';
import type { Binding } from './challenges.ts';

/** The request by which a page or a program gets a challenge. */
interface OptionsAction<F extends Fields> extends Pick<Action<F>, 'summary' | 'tag' | 'fields' | 'example'> {
  readonly config: Action['config'] & { readonly openedAt: string };
  /** The function of the browser that takes the options. */
  readonly takenBy: 'parseCreationOptionsFromJSON' | 'parseRequestOptionsFromJSON';
  /** @param bind gives the binding of the challenge, and the browser its cookie */
  find(request: Request, bind: (purpose: string) => Binding, input: Input<F>): Promise<object | undefined>;
}

/**
 * Adds the first of the two requests that every use of a passkey has. The second has the browser's answer. A cookie ties both to the
 * browser. It authenticates no request.
 */
export function addPasskeyOptions<const F extends Fields>(
  app: App,
  https: boolean,
  addresses: readonly [page: string, api: string],
  { find, takenBy, ...action }: OptionsAction<F>,
): void {
  const cookie = ceremonyCookie(https);
  const schema = { type: 'object', description: `For \`PublicKeyCredential.${takenBy}\``, additionalProperties: true };
  addAction<F>(app, addresses, {
    ...action,
    method: 'POST',
    description: 'Gives a challenge, and the cookie `ceremony`, which has to come back with the passkey.',
    answer: settingCookies(json('Options for the browser', schema, { challenge: '6Z3wq…', timeout: 300_000 })),
    browser: 'To the page: only scripts have a use for the options',
    async handle(request, reply, input) {
      const bind = (purpose: string) => {
        const sent = cookie.read(request.headers.cookie) ?? '';
        // Pages in other tabs keep theirs.
        const value = /^[\w-]{43}$/.test(sent) ? sent : createSecret();
        reply.header('set-cookie', cookie.header(value));
        return { purpose, cookie: value };
      };
      return reply.proceed(action.config.openedAt, await find(request, bind, input));
    },
  });
}
