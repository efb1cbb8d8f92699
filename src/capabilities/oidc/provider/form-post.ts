import { isWebAddress } from '../clients/uri-rules.ts';
import { Provider } from './library.ts';

/** A response in OAuth 2.0 Form Post Response Mode. */
export interface PostedAnswer {
  readonly address: string;
  readonly fields: Readonly<Record<string, string>>;
}

type ResponseMode = Parameters<Provider['registerResponseMode']>[1];

/** Tells whether the application at a redirect address can take a form: the address leads to a server. */
export const takesForms = (address: unknown): boolean => {
  const url = URL.parse(String(address));
  return url !== null && isWebAddress(url);
};

/** Replaces the library's page for `form_post`. That page has no text, and its script is forbidden by our content security policy. */
export class PostingProvider extends Provider {
  override registerResponseMode(name: string, handler: ResponseMode): void {
    const send = name === 'form_post' ? postAnswer : handler;
    super.registerResponseMode(name, (ctx, address, fields) => {
      ctx.state.isError = 'error' in fields;
      return send.call(this, ctx, address, fields);
    });
  }
}

const postAnswer: ResponseMode = (ctx, address, fields) => {
  if (takesForms(address)) {
    ctx.state.form = { address, fields };
    return;
  }
  const target = new URL(address);
  for (const [name, value] of Object.entries(fields)) target.searchParams.set(name, String(value));
  ctx.status = 303;
  ctx.redirect(target.href);
};
