import { tooManyCodes } from '../../core/access/factor.ts';
import { maxPasswordBytes } from '../../core/passwords/passwords.ts';
import { textsIn } from '../../ground/languages/speech.ts';
import type { Words } from '../../ground/languages/words.ts';
import { codeField, credentialField, methodField, nextField } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { accountPath, homePath, safeNext } from '../../web/next.ts';
import { detailWithTokens } from '../../web/token-answer.ts';
import type { App, FreshProof } from '../../web/types.ts';
import type { Confirm } from './confirm.ts';
import { confirmView } from './confirm-page.ts';
import { tooManyConfirmations } from './refusals.ts';

export interface ConfirmParts {
  readonly confirm: Confirm;
}

const fields = {
  password: {
    maxLength: maxPasswordBytes,
    description: 'The password of the account',
    format: 'password',
    examples: ['password'],
  },
  method: methodField,
  code: { ...codeField, description: 'The code of the second factor, if the account has one' },
  credential: {
    ...credentialField,
    description: 'What the browser got from a passkey, as JSON. It needs no password',
  },
  next: nextField,
} as const;

/** A page that demands a fresh proof, and its address. Parts of the address that begin with a colon match any text. */
type AskingPage = FreshProof & { readonly openedAt: string };

function isAt(openedAt: string, address: string): boolean {
  const [path = '', query = ''] = openedAt.split('?');
  const [sentPath = '', sentQuery = ''] = address.split(/[?#]/);
  const [parts, sent] = [path.split('/'), sentPath.split('/')];
  const isPath = parts.length === sent.length && parts.every((part, at) => part.startsWith(':') || part === sent[at]);
  return isPath && sentQuery.startsWith(query);
}

/**
 * Finds the title of the page that demands the proof, and the page that links to it. The title is undefined if an application demands the
 * proof.
 */
function describeReason(pages: readonly AskingPage[], next: string | undefined, words: Words) {
  const page = next === undefined ? undefined : pages.find(({ openedAt }) => isAt(openedAt, next))?.page(words);
  if (next === undefined || page === undefined) return { back: homePath };
  const parent = next.replace(/\/[^/?#]*(?:[?#].*)?$/, '');
  // `/admin` is the overview, which some administrators may not open.
  return { page, back: parent === '/admin' ? homePath : parent || accountPath };
}

/**
 * Adds the page where users prove their identity again. Must be added before the routes that demand a fresh proof, because its hook notes
 * them.
 */
export function addConfirm(app: App, parts: () => ConfirmParts): void {
  const pages: AskingPage[] = [];
  app.addHook('onRoute', ({ method, url, config: { freshProof, openedAt = url } = {} }) => {
    if (freshProof === undefined || method !== 'GET') return;
    pages.push({ ...freshProof, openedAt });
  });

  addForm(app, ['/auth/confirm', '/api/confirm'], {
    summary: 'Confirm your identity',
    description:
      'Checks the user again: the password and, if the account has one, a second factor; or a passkey alone. The session stays and gets new credentials; the old ones become invalid. Both responses set the session cookie.',
    tag: 'Sign in',
    config: { signedIn: true, refusals: [tooManyConfirmations, tooManyCodes] },
    view: confirmView,
    fields,
    answer: detailWithTokens('The session has new credentials', 'Confirmed'),
    browser: 'To `next`, or to the account page',
    async show(request, { method, next }) {
      const { user, language } = request;
      const { confirm } = parts();
      const { methods, providers, hasPassword } = await confirm.waysOf(signedInOf(request));
      const proved = confirm.isProved(signedInOf(request), request.headers);
      const codes = methods.filter((one) => one !== 'passkey');
      const shown = codes.find((one) => one === method) ?? codes[0];
      const others = codes.filter((one) => one !== shown);
      const usable = Object.keys(fields).filter((name) => hasPassword || name !== 'password');
      return {
        fields: usable,
        ...describeReason(pages, safeNext(next), textsIn(language).words),
        username: user.username,
        methods,
        providers,
        hasPassword,
        proved,
        method: shown,
        others,
      };
    },
    async submit(request, reply, { password, method = 'totp', code, credential, next }) {
      const sent = { password, method, code, credential };
      const confirmed = await parts().confirm.confirm(signedInOf(request), sent, request);
      const tokens = reply.answerLogin(confirmed);
      return reply.proceed(safeNext(next) ?? accountPath, { detail: 'Confirmed', ...tokens });
    },
  });
}
