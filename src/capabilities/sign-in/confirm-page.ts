import { codeFieldOf, type Page, wordsFor } from '../../web/page.ts';
import { view } from '../../web/view.ts';

interface Asked {
  readonly fields: readonly string[];
  /** The title of the page that demands the proof. `back` is the page that links to that page. */
  readonly page?: string;
  readonly back: string;
  readonly username: string;
  readonly methods: readonly string[];
  readonly providers: readonly string[];
  readonly hasPassword: boolean;
  readonly proved: boolean;
  readonly method: string | undefined;
  readonly others: readonly string[];
}

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/sign-in/confirm': ReturnType<typeof describe>;
  }
}

function describe({ page: asking, back, username, providers, proved, method, ...asked }: Asked, page: Page) {
  const { confirm, fields, secondFactor } = page.words;
  const { credential } = page.errors;
  const { next } = page.values;
  const hasPasskey = asked.methods.includes('passkey');
  const takesCode = asked.hasPassword || proved;
  return {
    ...{ back, username, next, proved, hasPasskey },
    lead: page.interpolate(asking ? confirm.leadTo : confirm.lead, { username, page: asking ?? '' }),
    passkeyError: credential && fields[credential.code],
    form:
      takesCode && (method || !hasPasskey)
        ? { code: method && { method, field: codeFieldOf(page, method) } }
        : undefined,
    upstreams: proved ? undefined : page.upstreamsOf({ next, confirmedBy: providers }),
    mustLogIn: !takesCode && !hasPasskey && providers.length === 0,
    others: (takesCode ? asked.others : []).map((other) => ({
      address: page.withNext(`/auth/confirm?method=${other}`, next),
      text: wordsFor(secondFactor.others, other),
    })),
  };
}

export const confirmView = view('capabilities/sign-in/confirm', describe);
