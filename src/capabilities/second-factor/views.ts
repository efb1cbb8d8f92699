import type { LinkedIdentity, OwnFactors } from '../../core/ports.ts';
import { codeFieldOf, type ModelOf, type Page, wordsFor } from '../../web/page.ts';
import { view } from '../../web/view.ts';

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/second-factor/codes': ReturnType<typeof describeCodes>;
    'capabilities/second-factor/enrol-factor': ReturnType<typeof describeEnrolment>;
    'capabilities/second-factor/second-factor': ReturnType<typeof describeSecondFactor>;
    'capabilities/second-factor/security': ReturnType<typeof describeSecurity>;
    'capabilities/second-factor/totp': ReturnType<typeof describeTotp>;
  }
  interface Partials {
    'capabilities/second-factor/codes-shown': ReturnType<typeof codesOf>;
    'capabilities/second-factor/app-secret': ReturnType<typeof secretOf>;
  }
}

/** New recovery codes, which are shown once. */
interface Codes {
  readonly recovery_codes: readonly string[];
  readonly next: string;
  /** The number of the message on the page Security. */
  readonly said?: number | undefined;
  /** The name of the passkey that was added. */
  readonly name?: string | undefined;
}

function codesOf({ recovery_codes, next, said = 0, name = '' }: Codes, page: Page, of?: string, message?: string) {
  const { security } = page.words;
  const messages: Readonly<Record<string, string>> = security.messages;
  const done = messages[said] ?? message;
  const codes = recovery_codes.join('\n');
  return {
    ...{ next, codes, words: security },
    done: done && page.interpolate(done, { name }),
    secret: page.secretOf(codes, security.codes, of),
  };
}

const describeCodes = (answer: Codes, page: Page) => ({ shown: codesOf(answer, page) });

/** The secret of an authenticator app that waits for its first code. */
interface AppSecret {
  readonly secret: string;
  readonly uri: string;
  readonly qr: string;
}

const secretOf = ({ secret, uri, qr }: AppSecret, page: Page, of?: string) => ({
  ...{ qr, uri, words: page.words.security },
  groups: secret.match(/.{1,4}/g) ?? [],
  secret: page.secretOf(secret, page.words.security.app, of),
});

interface Totp extends Partial<AppSecret>, Partial<Codes> {
  /** The app waits for its first code, but its secret is not shown again. */
  readonly waits?: boolean;
}

const isSecret = (answer: Partial<AppSecret>): answer is AppSecret => answer.uri !== undefined;
const isCodes = (answer: { readonly recovery_codes?: readonly string[] }): answer is Codes =>
  answer.recovery_codes !== undefined;

function describeTotp(answer: Totp, page: Page) {
  return {
    codes: isCodes(answer) ? codesOf(answer, page) : undefined,
    secret: isSecret(answer) ? secretOf(answer, page) : undefined,
    code: isSecret(answer) || answer.waits ? totpFieldOf(page) : undefined,
  };
}

const totpFieldOf = (page: Page): ModelOf<'web/field'> => ({ ...codeFieldOf(page, 'totp', true), maxlength: 20 });

interface Enrolment extends Partial<AppSecret>, Partial<Omit<Codes, 'next'>> {
  readonly next?: string | undefined;
  readonly email?: string;
  /** How long the mailed link works. */
  readonly minutes?: number;
}

function describeEnrolment(answer: Enrolment, page: Page) {
  const { words, site, interpolate, values, errors } = page;
  const { email, minutes = 0, next } = answer;
  const { enrolFactor, loginMessages } = words;
  return {
    codes: isCodes(answer) ? codesOf(answer, page, email, loginMessages.factorAdded) : undefined,
    mailed: values.token
      ? undefined
      : {
          text: site.features.mail ? interpolate(enrolFactor.sent, { minutes }) : enrolFactor.askOperator,
          login: page.withNext('/auth/login', next),
        },
    secret: isSecret(answer) ? secretOf(answer, page, email) : undefined,
    code: isSecret(answer) || errors.code ? totpFieldOf(page) : undefined,
    begin: interpolate(enrolFactor.begin, { email: email ?? '' }),
  };
}

interface SecondFactor {
  readonly methods: readonly string[];
  readonly method: string | undefined;
  readonly others: readonly string[];
  readonly trustedBrowserDays: number;
}

function describeSecondFactor({ method = '', others, trustedBrowserDays: days }: SecondFactor, page: Page) {
  const { words, values, errors, withNext } = page;
  const { secondFactor } = words;
  const { next } = values;
  const isPasskey = method === 'passkey';
  return {
    ...{ method, next, isPasskey },
    lead: wordsFor(secondFactor.leads, method),
    code: isPasskey ? undefined : codeFieldOf(page, method, true),
    passkeyError: isPasskey && errors.code && words.fields[errors.code.code],
    trust: days > 0 ? page.plural(secondFactor.trust, days) : undefined,
    submit: wordsFor(secondFactor.submit, method),
    others: others.map((other) => ({
      address: withNext(`/auth/second-factor?method=${other}`, next),
      text: wordsFor(secondFactor.others, other),
    })),
    login: withNext('/auth/login', next),
  };
}

interface Security {
  readonly signal: OwnFactors['signal'];
  readonly next: string | undefined;
  /** The application that demands a second factor. */
  readonly application: string | undefined;
  readonly passkeys: readonly {
    readonly id: string;
    readonly name: string;
    readonly synced: boolean;
    readonly created_at: string;
    readonly last_used_at: string | null;
  }[];
  readonly totp: boolean;
  readonly app: { readonly createdAt: Date; readonly lastUsedAt?: Date | undefined } | undefined;
  readonly linked: readonly Pick<LinkedIdentity, 'provider' | 'name'>[];
  readonly recovery_codes_left: number;
  readonly trusted_browsers: readonly {
    readonly id: string;
    readonly browser: string;
    readonly user_agent: string;
    readonly trusted_at: string;
  }[];
}

/**
 * Values of `state` in the query of the page: after an application has demanded a second factor, after a reset of the password, and after a
 * login by a recovery code.
 */
const states = { wanted: '7', reset: '8', recovered: '9' };

function describeSecurity({ application, passkeys, next, recovery_codes_left: left, ...answer }: Security, page: Page) {
  const { words, site, state, interpolate, plural, client } = page;
  const { security } = words;
  const { upstreams, passkeyDomain } = site.features;
  const [isWanted, isReset, isRecovered] = [
    state === states.wanted,
    state === states.reset,
    state === states.recovered,
  ];
  const message =
    isWanted && application
      ? interpolate(security.wantedBy, { application })
      : interpolate(page.messageIn(security.messages) ?? '', { name: passkeys.at(-1)?.name ?? '' });
  return {
    ...{ next, message, isWanted, isRecovered },
    recovered: isRecovered ? plural(security.recovered, left) : undefined,
    onward: isRecovered || isReset ? next : undefined,
    hasUpstreams: upstreams.length > 0,
    linked:
      isReset && upstreams.length > 0
        ? answer.linked.map(({ provider, name }) => ({
            name,
            provider: upstreams.find(({ id }) => id === provider)?.name ?? provider,
          }))
        : undefined,
    signal: passkeyDomain === undefined ? undefined : page.passkeysOf(answer.signal),
    passkeys: passkeys.map((passkey) => ({
      ...passkey,
      kept: passkey.synced ? security.synced : security.deviceBound,
    })),
    app: answer.app,
    codesLeft: answer.totp || passkeys.length > 0 ? plural(security.codesLeft, left) : undefined,
    browsers: answer.trusted_browsers.map(({ id, user_agent, trusted_at }) => ({
      ...{ id, trusted_at },
      client: client(user_agent),
    })),
    hasSeveralBrowsers: answer.trusted_browsers.length > 1,
  };
}

export const codesView = view('capabilities/second-factor/codes', describeCodes);
export const enrolmentView = view('capabilities/second-factor/enrol-factor', describeEnrolment);
export const secondFactorView = view('capabilities/second-factor/second-factor', describeSecondFactor);
export const securityView = view('capabilities/second-factor/security', describeSecurity);
export const totpView = view('capabilities/second-factor/totp', describeTotp);
