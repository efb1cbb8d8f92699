/** Where a browser has come: a page of the server, or the address of another site that it was sent to. */
export interface Place {
  readonly url: URL;
  /** Of the last answer of the server. */
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  /** Whether it is on another site. */
  readonly isElsewhere: boolean;
}

interface Cookie {
  readonly value: string;
  readonly path: string;
}

/** A browser without a screen: keeps cookies with their paths, follows redirects, refreshes and forms that send themselves, and says where a request comes from. */
export class Browser {
  readonly origin: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies = new Map<string, Cookie>();
  /** The field of each page of a consent that says which application it shows. */
  readonly #shown = new Map<string, string>();
  /** Whether it runs scripts, as far as it knows them. */
  hasScript = true;

  constructor(origin: string, headers: Readonly<Record<string, string>> = {}) {
    this.origin = origin;
    this.headers = headers;
  }

  /** Opens an address, as from a link of another site. */
  open(address: string | URL): Promise<Place> {
    return this.#go(new URL(address, this.origin), { site: 'cross-site' });
  }

  /** Sends a form of a page of the server. */
  submit(address: string | URL, fields: Readonly<Record<string, string>>): Promise<Place> {
    const url = new URL(address, this.origin);
    const shown = this.#shown.get(url.pathname);
    return this.#go(url, { site: 'same-origin', fields: { ...(shown !== undefined && { shown }), ...fields } });
  }

  /** Sends a form of another site. It comes without cookies that are `SameSite=Lax`. */
  submitFromElsewhere(address: string | URL, fields: Readonly<Record<string, string>>): Promise<Place> {
    return this.#go(new URL(address, this.origin), { site: 'cross-site', fields });
  }

  async logIn(username: string, password: string): Promise<Place> {
    return this.submit('/auth/token', { username, password });
  }

  /** The cookies that a request for a path has. */
  cookieHeader(path: string): string {
    const sent = [...this.cookies].filter(([, cookie]) => isUnder(path, cookie.path));
    return sent.map(([key, { value }]) => `${key.split(';', 1)}=${value}`).join('; ');
  }

  async #go(url: URL, how: { site: string; fields?: Readonly<Record<string, string>> }): Promise<Place> {
    let [target, fields, site, status] = [url, how.fields, how.site, 0];
    for (let hops = 0; hops < 20; hops += 1) {
      if (target.origin !== this.origin)
        return { url: target, status, text: '', headers: new Headers(), isElsewhere: true };
      const answer = await this.#send(target, site, fields);
      status = answer.status;
      const text = await answer.text();
      const { shown } = hiddenFields(text);
      if (shown !== undefined) this.#shown.set(target.pathname, shown);
      const form = selfSending(text);
      if (form !== undefined && this.hasScript) {
        [target, fields, site] = [new URL(form.action, target), form.fields, 'same-origin'];
        continue;
      }
      const next = answer.headers.get('location') ?? /url=(.*)$/.exec(answer.headers.get('refresh') ?? '')?.[1];
      if (next === undefined || next === null)
        return { url: target, status, text, headers: answer.headers, isElsewhere: false };
      if (answer.headers.has('refresh')) site = 'same-origin';
      target = new URL(next, target);
      fields = undefined;
    }
    throw new Error(`too many redirects at ${target.href}`);
  }

  async #send(target: URL, site: string, fields: Readonly<Record<string, string>> | undefined): Promise<Response> {
    const isForeignForm = site === 'cross-site' && fields !== undefined;
    const cookie = this.cookieHeader(target.pathname);
    const answer = await fetch(target, {
      redirect: 'manual',
      method: fields === undefined ? 'GET' : 'POST',
      ...(fields && { body: new URLSearchParams(fields) }),
      headers: {
        accept: 'text/html',
        'sec-fetch-site': site,
        'sec-fetch-mode': 'navigate',
        ...(cookie !== '' && !isForeignForm && { cookie }),
        ...this.headers,
      },
    });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    return answer;
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(pair.indexOf('=') + 1);
    const find = (attribute: string) =>
      attributes.find((one) => one.toLowerCase().startsWith(`${attribute}=`))?.slice(attribute.length + 1);
    const isOver =
      find('max-age') === '0' || (find('expires') !== undefined && Date.parse(find('expires') ?? '') < Date.now());
    const path = find('path') ?? '/';
    // One name may have a cookie for each path.
    const key = path === '/' ? name : `${name}; ${path}`;
    if (isOver) this.cookies.delete(key);
    else this.cookies.set(key, { value, path });
  }
}

/** The hidden fields of a form, as the page has them. */
export function hiddenFields(page: string): Record<string, string> {
  const decode = (text: string) =>
    text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&amp;', '&');
  const inputs = [...page.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)];
  return Object.fromEntries(inputs.map(([, name = '', value = '']) => [name, decode(value)]));
}

function selfSending(page: string) {
  const [, action, content = ''] = /<form method="post" action="([^"]*)" data-submit>(.*?)<\/form>/s.exec(page) ?? [];
  return action === undefined ? undefined : { action, fields: hiddenFields(content) };
}

const isUnder = (path: string, cookiePath: string): boolean =>
  path === cookiePath || path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`);
