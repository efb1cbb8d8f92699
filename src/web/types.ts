import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Presented, SignedIn } from '../core/access/access.ts';
import type { Admitted } from '../core/access/admit.ts';
import type { Answer } from '../core/access/refusal.ts';
import type { Caller } from '../core/audit/event.ts';
import type { Account } from '../core/users/account.ts';
import type { Language } from '../ground/languages/languages.ts';
import type { Words } from '../ground/languages/words.ts';
import type { TokenAnswer } from './token-answer.ts';
import type { View } from './view.ts';

/** The format of a response: a page for a user, JSON for a program. */
export type Format = 'html' | 'json';

export type App = FastifyInstance;

/** A page or action that demands a fresh proof of identity. */
export interface FreshProof {
  /** The title of the page. The page for the proof shows this title. */
  readonly page: (words: Words) => string;
  /** Users without this scope can only read the page, and need no proof. */
  readonly scope?: string;
  /** The page also shows a list. The list is shown without a proof, with a link to the proof (`confirm`) in place of the forms. */
  readonly showsList?: true;
}

declare module './host-app.ts' {
  interface Granted extends SignedIn {}
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The page that shows the handler's result. Without it the response is JSON in either format. */
    view?: View | undefined;
    /** The route answers with a page even if JSON was requested. Its refusals still follow the format. */
    pageOnly?: boolean;
    documented?: boolean;
    /** The owner of the session must have proved their identity lately: before a page shows its form, and again when the form is sent. */
    freshProof?: FreshProof | undefined;
    /** Whether browsers usually come without a session. Janua then redirects them to the login, and records no refusal. */
    beginsSignIn?: boolean;
    /**
     * Whether a GET has a lasting effect, such as issuing a code. It has one only if a user opens the address: neither for HEAD nor for a
     * prefetch.
     */
    hasLastingEffect?: true;
    /** Whether requests from other sites are allowed, because the route reads no cookie. */
    anySite?: boolean;
    /** Whether a token that is limited to some scopes is refused: the route changes or exports the account of the signed-in user. */
    refusesLimited?: boolean;
    /**
     * The redirect target for a browser that opens a form's address by GET, as by Enter in the address bar after submitting. A proof of
     * identity continues there too.
     */
    openedAt?: string | undefined;
    /** Whether another host shows the route's pages under its own address. They contain their style, and their links are absolute. */
    shownByOtherHost?: true;
    /** Whether only a browser that opens an address gets a page. Requests of the browser for scripts and pictures get JSON. */
    pagesWhereOpened?: boolean;
    /** Whether programs that act as themselves may use the route, for JSON. */
    machines?: boolean;
    /**
     * True for a route that waits for its turn (`readPage`): a page that lists what an account has, or a POST that looks at many rows.
     * Pages for administrators always wait.
     */
    takesTurn?: true | undefined;
    /** The refusals of the route besides those of `signedIn`, for the OpenAPI document. */
    refusals?: readonly Answer[] | undefined;
    /** Whether the route accepts credentials, and perhaps works without them, for the OpenAPI document. */
    takesCredentials?: boolean | 'optional' | undefined;
    /** The statuses of failures that any request may meet, for the OpenAPI document. Default: 500 and 503. */
    problems?: readonly number[];
  }

  interface FastifyRequest {
    readonly format: Format;
    /** The language of a page: chosen by the user, preferred by the browser, or that of the site. */
    readonly language: Language;
    readonly presented: Presented;
    /** Describes the sender of the request, for the throttle and the audit. */
    readonly caller: Caller;
    /** The account as it was at the fresh proof, on a route with `freshProof`. */
    proved: Account | undefined;
    /** Sets `proved` if an earlier proof is still fresh. */
    lookForProof(): Promise<void>;
    /** Sets `proved`, or throws like `RequireFresh`. */
    proveFresh(currentPassword: string | undefined): Promise<void>;
  }

  interface FastifyReply {
    /** Completes an action: redirects a browser to a page (303), and sends a program the model. */
    proceed(to: string, model: unknown): FastifyReply;
    /** Gives the browser the new cookie of a session, and makes the account known in that browser. @returns the response for a program */
    answerLogin(
      login: Pick<Admitted, 'account'> & { readonly session: Omit<Admitted['session'], 'displaced'> },
    ): TokenAnswer;
    clearSessionCookie(): FastifyReply;
    /** Removes the session cookie after a logout. At the next login, other providers then ask for the account. */
    answerLogOut(): FastifyReply;
  }
}

export type Request = FastifyRequest;

export type Reply = FastifyReply;
