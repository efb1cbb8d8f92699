import type { describeSession } from '../../core/access/describe-session.ts';
import type { describeToken } from '../../core/access/describe-token.ts';
import type { OpenApplication, PasskeySignal } from '../../core/ports.ts';
import { joinPath } from '../../core/users/invite-limits.ts';
import type { Listed, Page } from '../../web/page.ts';
import { view } from '../../web/view.ts';
import type { describeAccount } from './export.ts';

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/account/account': ReturnType<typeof describeAccountPage>;
    'capabilities/account/confirm-email': ReturnType<typeof describeConfirmEmail>;
    'capabilities/account/delete': Named;
    'capabilities/account/email': Named;
    'capabilities/account/finish-sign-up': Addressed;
    'capabilities/account/first-administrator': object;
    'capabilities/account/handle': object;
    'capabilities/account/forgot-password': ReturnType<typeof describeForgotPassword>;
    'capabilities/account/home': ReturnType<typeof describeHome>;
    'capabilities/account/me': Me;
    'capabilities/account/password': Named;
    'capabilities/account/profile': object;
    'capabilities/account/reset-password': Addressed;
    'capabilities/account/sessions': ReturnType<typeof describeSessions>;
    'capabilities/account/sign-up': ReturnType<typeof describeSignUp>;
    'capabilities/account/tokens': ReturnType<typeof describeTokens>;
  }
}

interface Named {
  readonly username: string;
}

/** The address that a link was mailed to. */
interface Addressed {
  readonly email: string;
}

interface Me extends Named {
  readonly first_name: string;
  readonly last_name: string;
}

type Account = Awaited<ReturnType<typeof describeAccount>>;

interface AccountAnswer extends Account {
  readonly identities?: number;
  readonly applications?: number;
  readonly tokens?: number;
  readonly waitingAddress?: string | undefined;
  readonly sessions: number;
  readonly second_factor: boolean;
  readonly scope: string;
  readonly passkeys: number;
  readonly signal: PasskeySignal | undefined;
  readonly totp: boolean;
  readonly hasPassword: boolean;
}

function describeAccountPage(answer: AccountAnswer, page: Page) {
  const { words, site, plural, interpolate, timeOf } = page;
  const { account, security } = words;
  const { features } = site;
  const { username, handle, first_name, last_name, totp, passkeys, hasPassword, waitingAddress } = answer;
  const factors = [...(totp ? [security.app] : []), ...(passkeys > 0 ? [plural(account.passkeyCount, passkeys)] : [])];
  const isToChoose = features.ownHandles && handle === null && username.includes('@');
  return {
    ...{ username, first_name, last_name },
    handle: handle !== null || isToChoose ? { name: handle ?? '', isToChoose } : undefined,
    ownAccount: features.ownAccounts
      ? {
          verified: page.verifiedOf(answer.verification),
          waiting: waitingAddress && interpolate(account.waitingAddress, { email: waitingAddress }),
          mayChangeEmail: features.mail,
        }
      : undefined,
    passwordChanged: answer.password_changed_at ? timeOf(account.changedAt, answer.password_changed_at) : undefined,
    password: hasPassword ? '••••••••' : '',
    mayChangePassword: features.password,
    factors: features.secondFactor
      ? factors.join(', ') || (hasPassword ? account.passwordOnly : account.noFactor)
      : undefined,
    linked: features.upstreams.length > 0 ? plural(account.linkedCount, answer.identities ?? 0) : undefined,
    sessions: plural(account.sessionCount, answer.sessions),
    tokens: plural(account.tokenCount, answer.tokens ?? 0),
    applications: plural(account.applicationCount, answer.applications ?? 0),
    since: answer.created_at ? timeOf('{date}', answer.created_at) : undefined,
    passkeys: answer.signal && page.passkeysOf(answer.signal),
  };
}

interface ConfirmEmail extends Addressed {
  /** An administrator offers the address. */
  readonly offered?: boolean;
  /** The address that the user has. */
  readonly former?: string;
}

function describeConfirmEmail({ email, offered, former = '' }: ConfirmEmail, { words, interpolate }: Page) {
  const { confirmEmail } = words;
  return {
    offered,
    lead: offered ? interpolate(confirmEmail.offered, { email, former }) : interpolate(confirmEmail.lead, { email }),
    action: offered ? '/account/confirm-email' : '/auth/confirm-email',
  };
}

interface ForgotPassword {
  readonly minutes: number;
  /** The name of the application that the user came from. */
  readonly application: string | undefined;
}

const sentTo = (application: string | undefined, { words, interpolate, state }: Page) =>
  state === '1' ? { openHere: application && interpolate(words.account.openHere, { name: application }) } : undefined;

function describeForgotPassword({ minutes, application }: ForgotPassword, page: Page) {
  return {
    sent: sentTo(application, page),
    sentMore: page.interpolate(page.words.forgotPassword.sentMore, { minutes }),
    login: page.withNext('/auth/login', page.values.next),
  };
}

interface SignUpPage {
  readonly sent: ReturnType<typeof sentTo>;
  readonly lead: string;
  readonly action: string;
  readonly upstreams: ReturnType<Page['upstreamsOf']> | undefined;
  readonly login: string;
}

const describeSignUp = ({ application }: Pick<ForgotPassword, 'application'>, page: Page): SignUpPage => ({
  sent: sentTo(application, page),
  lead: page.words.signUp.lead,
  action: '/auth/sign-up',
  upstreams: page.upstreamsOf({ next: page.values.next }),
  login: page.withNext('/auth/login', page.values.next),
});

/** The same page for a link by which many users may join. */
const describeJoin = ({ domain }: { readonly domain: string }, page: Page): SignUpPage => ({
  sent: sentTo(undefined, page),
  lead: domain === '' ? page.words.signUp.lead : page.interpolate(page.words.signUp.leadOfDomain, { domain }),
  action: joinPath,
  upstreams: undefined,
  login: '/auth/login',
});

interface Home extends Me, Listed {
  readonly applications: readonly (OpenApplication & { readonly host: string })[];
  readonly offersPasskey: boolean;
  /** How many checks report a fault. */
  readonly findings: number;
}

function describeHome({ applications, findings, ...home }: Home, { words, interpolate, plural, pictureOf }: Page) {
  const { welcome, welcomeName } = words.home;
  return {
    ...home,
    heading: home.first_name ? interpolate(welcomeName, { name: home.first_name }) : welcome,
    findings: findings > 0 ? plural(words.home.findings, findings) : undefined,
    applications: applications.map(({ name, address, host, picture }) => ({
      ...{ name, address },
      host: name === host ? undefined : host,
      picture: pictureOf(name, picture),
    })),
  };
}

interface Sessions {
  readonly sessions: readonly (ReturnType<typeof describeSession> & { readonly current: boolean })[];
}

function describeSessions({ sessions }: Sessions, page: Page) {
  const { words, site, client, confirm } = page;
  return {
    lead: site.features.password ? words.sessions.lead : words.sessions.leadWithoutPassword,
    sessions: sessions.map((session) => ({
      ...session,
      client: client(session.user_agent),
      mayEnd: !session.current && confirm === undefined,
    })),
  };
}

interface Tokens {
  readonly tokens: readonly ReturnType<typeof describeToken>[];
  /** The scopes that the user may choose. */
  readonly scopes: readonly string[];
  /** The origins for which the user may make a token. */
  readonly hosts: readonly string[];
  readonly username: string;
  /** The new token. */
  readonly token?: string;
  /** The only host that takes the new token. */
  readonly host?: string | null;
}

function describeTokens({ tokens, scopes, hosts, username, token, host }: Tokens, page: Page) {
  const { words, interpolate, timeOf, values } = page;
  const ticked = (values.scope ?? '').split(' ');
  return {
    token,
    madeFor: host ? interpolate(words.tokens.madeFor, { name: username }) : undefined,
    tokens: tokens.map(({ id, name, scope, host, expires_at, last_used_at, last_used_address }) => ({
      ...{ id, name, expires_at },
      scope: host ? page.appAt(host) : scope || words.tokens.noScope,
      lastUsed:
        last_used_at === null
          ? undefined
          : timeOf(interpolate(words.tokens.lastUsed, { address: last_used_address ?? '' }), last_used_at),
    })),
    hasScopes: scopes.length > 0,
    choices:
      scopes.length > 0 || page.errors.scope
        ? scopes.map((scope) => ({ scope, isTicked: ticked.includes(scope) }))
        : undefined,
    hosts:
      hosts.length > 0 || page.errors.host
        ? hosts.map((address) => ({ address, text: page.appAt(address), isChosen: address === values.host }))
        : undefined,
    days: values.expires_in_days ?? '30',
  };
}

export const accountView = view('capabilities/account/account', describeAccountPage);
export const confirmEmailView = view('capabilities/account/confirm-email', describeConfirmEmail);
export const forgotPasswordView = view('capabilities/account/forgot-password', describeForgotPassword);
export const homeView = view('capabilities/account/home', describeHome);
export const sessionsView = view('capabilities/account/sessions', describeSessions);
export const joinView = view('capabilities/account/sign-up', describeJoin);
export const signUpView = view('capabilities/account/sign-up', describeSignUp);
export const tokensView = view('capabilities/account/tokens', describeTokens);
