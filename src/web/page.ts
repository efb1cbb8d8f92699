import type { FieldFault } from '../core/access/refusal.ts';
import { languageNames } from '../ground/languages/languages.ts';
import { type LanguageTexts, textsIn } from '../ground/languages/speech.ts';
import { adminPagesFor } from './admin-pages.ts';
import { bodyField } from './body-field.ts';
import type { Features } from './flow-options.ts';
import { accountPath, confirmPath, homePath, pathWithNext } from './next.ts';
import { isOpened, originForm, rawPath, withKept } from './request-target.ts';
import type { Request } from './types.ts';
import type { Pages, Partials } from './view.ts';

declare module './view.ts' {
  interface Pages {
    'web/openapi/docs': object;
  }
  interface Partials {
    'web/layout': Page & Head & { readonly body: string };
    'web/bare': Page & Head & { readonly body: string };
    'web/admin-menu': Page;
    'web/confirm-to-change': Link;
    'web/address': ReturnType<typeof addressOf>;
    'web/field': ReturnType<ReturnType<typeof createFieldOf>>;
    'web/more': ReturnType<ReturnType<typeof createMoreOf>>;
    'web/picture': ReturnType<ReturnType<typeof createPictureOf>>;
    'web/passkeys': ReturnType<ReturnType<typeof createPasskeysOf>>;
    'web/secret': ReturnType<ReturnType<typeof createSecretOf>>;
    'web/time': ReturnType<ReturnType<typeof createTimeOf>>;
    'web/verified': ReturnType<ReturnType<typeof createVerifiedOf>>;
    'web/upstreams': ReturnType<ReturnType<typeof createUpstreamsOf>>;
  }
}

/** All data that a template gets. A test compares each template with this type (`test/web/templates.test.ts`). */
export type ModelOf<Name extends keyof Pages | keyof Partials> = Name extends keyof Partials
  ? Partials[Name]
  : Name extends keyof Pages
    ? Pages[Name] & Page
    : never;

/** The members that a page gives its layout. */
export interface Head {
  readonly title: string;
  readonly signedIn?: boolean | undefined;
  /** Whether it is a page for administrators, with wide tables. */
  readonly wide?: boolean | undefined;
  /** Whether the page itself asks to log out, so the menu does not. */
  readonly asksToLogOut?: boolean;
}

/** The members of a handler's answer that the page shows again, such as the typed values. */
export interface Repeated {
  readonly path?: string | undefined;
  readonly values?: Readonly<Record<string, string | undefined>> | undefined;
  readonly errors?: Readonly<Record<string, FieldFault>> | undefined;
  readonly faulty?: string | undefined;
}

interface Site {
  readonly name: string;
  readonly features: Features;
  /** The origin of links, and the style, on a page that another host shows. */
  readonly origin: string;
  readonly style: string;
}

interface Link {
  readonly address: string;
  readonly text: string;
}

export type Page = ReturnType<typeof createPage>;

/** Makes the members that every template gets besides its own model. */
export function createPage(site: Site, request: Request, answer: Repeated) {
  const { shownByOtherHost, freshProof } = request.routeOptions.config ?? {};
  const texts = textsIn(request.language);
  const adminPages = adminPagesFor(request.signedIn?.scopes ?? []);
  const { path = pathOf(request), values = {}, errors = {}, faulty } = answer;
  const state = bodyField(request.query, 'state');
  const signedInAs = request.signedIn?.user.username;
  const form = { values, errors, faulty, ...texts };
  return {
    ...texts,
    ...form,
    path,
    signedInAs,
    site: { name: site.name, features: site.features },
    /** The pages for administrators that the user may open, and the first of them. */
    adminPages,
    adminHome: adminPages[0]?.[0],
    adminMenu: adminPages.map(([address, name]) => ({
      address,
      text: texts.words.admin.pages[name],
      current: currentOf(path, address, address === '/admin'),
    })),
    accountCurrent: currentOf(path, accountPath),
    languageChoices: Object.entries(languageNames).map(([language, name]) => ({
      ...{ language, name },
      isCurrent: language === request.language,
    })),
    languageName: languageNames[request.language],
    /** Whether a form was not sent, because its user had to prove their identity. */
    unsent: freshProof !== undefined && bodyField(request.query, 'unsent') === '1',
    /** The link to a fresh proof of identity, if the page shows its list without the proof, and its forms after it. */
    confirm:
      freshProof?.showsList && !request.proved
        ? { address: confirmPath(originForm(request.url)), text: texts.words.confirm.toChange }
        : undefined,
    /** The `state` of the query picks a message. */
    state,
    messageIn: (messages: Readonly<Record<string, string>>) =>
      typeof state === 'string' && Object.hasOwn(messages, state) ? messages[state] : undefined,
    withNext: pathWithNext,
    ...(shownByOtherHost
      ? ({ frame: '/web/bare', home: site.origin + homePath, style: site.style } as const)
      : ({ frame: '/web/layout', home: homePath, style: '' } as const)),
    addressOf,
    /** The use of a personal token for one host. */
    appAt: (origin: string) => texts.interpolate(texts.words.tokens.forApp, { host: new URL(origin).host }),
    errorOf: (name: string) => errorOf(form, name),
    fieldOf: createFieldOf(form),
    moreOf: createMoreOf(path, texts),
    passkeysOf: createPasskeysOf(site, texts),
    pictureOf: createPictureOf(texts),
    secretOf: createSecretOf(site, signedInAs, texts),
    timeOf: createTimeOf(texts),
    upstreamsOf: createUpstreamsOf(site, texts),
    verifiedOf: createVerifiedOf(texts),
  };
}

/** The address at which a browser gets the page by GET. For an unknown address, a page for administrators or the home page. */
function pathOf({ method, url, query, body, routeOptions, signedIn }: Request): string {
  if (routeOptions.url === undefined)
    return (rawPath(url).startsWith('/admin/') && adminPagesFor(signedIn?.scopes ?? [])[0]?.[0]) || homePath;
  if (isOpened({ method })) return withKept(rawPath(url), query);
  return withKept(routeOptions.config.openedAt ?? rawPath(url), body);
}

/** The `aria-current` of a link in a menu: of the page itself, or of a part that contains it. */
function currentOf(path: string, address: string, isAlone = false): 'page' | 'true' | undefined {
  if (path === address) return 'page';
  return !isAlone && path.startsWith(address) ? 'true' : undefined;
}

/** Splits an address, so that a page can break the line before the domain. */
function addressOf(username: string) {
  const [name = '', ...domain] = username.split(/(?<=@)/);
  return { name, domain: domain.join('') };
}

interface Form extends Pick<LanguageTexts, 'words' | 'interpolate'> {
  readonly values: NonNullable<Repeated['values']>;
  readonly errors: NonNullable<Repeated['errors']>;
  readonly faulty: string | undefined;
}

function errorOf({ words, interpolate, errors }: Form, name: string): string | undefined {
  const error = errors[name];
  return error && interpolate(words.fields[error.code], error.values);
}

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  /** The height of a text area, in lines. */
  readonly lines?: number;
  readonly type?: 'email' | 'password';
  readonly autocomplete?: string;
  readonly maxlength?: number;
  readonly inputmode?: string | undefined;
  readonly sample?: string | undefined;
  readonly optional?: true;
  /** Whether the cursor is here, unless another field is faulty. */
  readonly focus?: boolean;
  /** Shown in place of the typed value. */
  readonly value?: string | undefined;
}

const createFieldOf = (form: Form) => (field: Field) => {
  const { name, hint, type, optional, focus } = field;
  const error = errorOf(form, name);
  return {
    ...{ name, hint, error, label: field.label, lines: field.lines, autocomplete: field.autocomplete ?? 'off' },
    ...{ maxlength: field.maxlength ?? 254, inputmode: field.inputmode, sample: field.sample },
    type: type ?? 'text',
    isEmail: type === 'email',
    value: type === 'password' ? '' : (field.value ?? form.values[name] ?? ''),
    required: !optional,
    notes: [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' '),
    isFocused: form.faulty === undefined ? focus : form.faulty === name,
  };
};

/** Returns the words for a key that is known only at run time, such as a scope. A key without words is returned as it is. */
export const wordsFor = (texts: object, key: string): string =>
  Object.hasOwn(texts, key) ? String(Reflect.get(texts, key)) : key;

/** The field for a code of an authenticator app, or for a recovery code. */
export function codeFieldOf({ words, fieldOf }: Page, method: string, focus = false) {
  const isTotp = method === 'totp';
  const autocomplete = isTotp ? 'one-time-code' : 'off';
  const inputmode = isTotp ? 'numeric' : undefined;
  return fieldOf({
    name: 'code',
    label: wordsFor(words.secondFactor.labels, method),
    autocomplete,
    inputmode,
    maxlength: 100,
    focus,
  });
}

/** A page of a list, with the query of its request. */
export interface Listed {
  readonly next_cursor?: string | null | undefined;
  readonly query: unknown;
}

const createMoreOf =
  (path: string, { words }: LanguageTexts) =>
  ({ next_cursor, query: sent }: Listed) => {
    const { cursor, ...query } = sent as Readonly<Record<string, string>>;
    const pageAt = (further: Readonly<Record<string, string>>) =>
      `${path}?${new URLSearchParams({ ...query, ...further })}`;
    return {
      links: [
        ...(next_cursor ? [{ address: pageAt({ cursor: next_cursor }), text: words.admin.more }] : []),
        ...(cursor ? [{ address: pageAt({}), text: words.admin.toStart }] : []),
      ],
    };
  };

const createPasskeysOf =
  ({ features }: Site, { words }: LanguageTexts) =>
  (signal?: object) => ({
    words: words.passkeys,
    domain: features.passkeyDomain ?? '',
    signal: signal && JSON.stringify(signal),
  });

/** The picture of an application, or the first letter of its name. @param picture its address */
const createPictureOf =
  ({ language }: LanguageTexts) =>
  (name: string, picture?: string | null) => ({
    picture: picture ?? undefined,
    letter: [...name][0]?.toLocaleUpperCase(language) ?? '',
  });

const createSecretOf =
  (site: Site, signedInAs: string | undefined, { words }: LanguageTexts) =>
  (secret: string, title: string, owner = signedInAs) => ({
    words: words.layout,
    secret,
    file: [site.name, owner, new Date().toISOString().slice(0, 10)].join(' '),
    saved: [`${site.name}: ${title} (${owner})`, ...secret.split('\n'), ''].join('\n'),
  });

/** Splits a text at `{date}`, `{time}` or `{moment}`, where the template shows the time. */
const createTimeOf =
  ({ utc }: LanguageTexts) =>
  (text: string, time: string | Date) => {
    const [before = '', name, after = ''] = text.split(/\{(date|time|moment)\}/);
    const shown = name as keyof LanguageTexts['utc'];
    const when = new Date(time);
    return { before, shown, after, iso: when.toISOString(), text: utc[shown](when) };
  };

export interface Verification {
  readonly how: string;
  readonly at: string | null;
}

/** Describes the proof that the address of an account is its user's. */
const createVerifiedOf = (texts: LanguageTexts) => (verification: Verification | null) => {
  const { verified } = texts.words.account;
  if (verification === null) return { text: verified.none };
  if (verification.at === null) return { text: verified.earlier };
  return { time: createTimeOf(texts)(wordsFor(verified, verification.how), verification.at) };
};

export interface UpstreamButtons {
  readonly next: string | undefined;
  readonly remembers?: true;
  /** The providers that can confirm who the user is. Undefined for a login. */
  readonly confirmedBy?: readonly string[];
}

const createUpstreamsOf =
  ({ features }: Site, { words, interpolate }: LanguageTexts) =>
  ({ next, remembers, confirmedBy }: UpstreamButtons) => ({
    ...{ next, remembers },
    buttons: features.upstreams
      .filter(({ id }) => confirmedBy?.includes(id) ?? true)
      .map(({ id, name }) => ({
        address: `/auth/${confirmedBy ? 'confirm/' : ''}upstream/${id}`,
        text: interpolate(words.upstream.signIn, { name }),
      })),
  });
