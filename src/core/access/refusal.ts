import type { Words } from '../../ground/languages/words.ts';

/** The answer to a refused request. It is data and not a function of the request, so the OpenAPI document can show it. */
export interface Answer {
  /** Its name in the OpenAPI document, such as `invalid-credentials`. */
  readonly name: string;
  /** The HTTP status. A 401 has a Bearer challenge (RFC 6750 3), and clears a dead session cookie unless it requires a fresh proof. */
  readonly status: number;
  /** The explanation in English, for programs. The catalogues have the text for pages, by `name`. */
  readonly detail: string;
  /** The OAuth error code (RFC 6749 5.2): printable ASCII without quotes or backslashes. */
  readonly error?: string;
  /** The scope that is missing, for the challenge and the page (RFC 6750 3). */
  readonly scope?: string;
  /** The challenge of a 401 in place of a Bearer challenge, for pages too (RFC 9110 11.6.1). */
  readonly challenge?: string;
  /** A browser gets the login page with this message in place of an error page. */
  readonly loginPage?: {
    readonly message: LoginMessage;
    /**
     * The path after the login: `asked-for` is the requested page, `sent` is the `next` that the form sent. Any other text is the path
     * itself.
     */
    readonly next?: string;
    /** Whether Janua sends the login page itself, with the status of this `Answer`, instead of a redirect to that page. */
    readonly inPlace?: true;
  };
  /**
   * A browser is redirected to the page that asks for a proof of identity, and back. The challenge tells programs what the proof must be
   * (RFC 9470).
   */
  readonly freshProof?: { readonly maxAgeSeconds?: number | undefined; readonly acrValues?: string | undefined };
  /** A browser is redirected to this page, which says what to do, and then continues as a login does. */
  readonly page?: { readonly path: string; readonly next?: 'asked-for' | 'sent' };
  /** A path where the user can begin again. The error page links to it in place of the home page. */
  readonly again?: string;
  /** The event to record, unless the code that refuses has already recorded one. */
  readonly event?: {
    readonly kind:
      | 'login-incomplete'
      | 'access-refused'
      | 'permission-refused'
      | 'cross-site-refused'
      | 'application-refused';
    readonly reason?: string;
  };
}

/** The base of answers to too many attempts. It has no page of its own: a user who is signed in gets an error page. */
export const tooMany = { status: 429, error: 'temporarily_unavailable', detail: 'Too many attempts' } as const;

/** The fixed messages of the login page. The query parameter `state` names a message. The catalogues have the text, by `key`. */
export const loginMessages = {
  loggedOut: { state: 0, key: 'loggedOut' },
  noSession: { state: 1, key: 'noSession' },
  notSignedIn: { state: 2, key: 'notSignedIn' },
  failed: { state: 3, key: 'failed' },
  throttled: { state: 4, key: 'throttled' },
  sessionOver: { state: 5, key: 'sessionOver' },
  passwordChanged: { state: 6, key: 'passwordChanged' },
  accountDeleted: { state: 7, key: 'accountDeleted' },
  passkeyRefused: { state: 8, key: 'passkeyRefused' },
  passkeyUnknown: { state: 9, key: 'passkeyUnknown' },
  emailChanged: { state: 10, key: 'emailChanged' },
  accountCreated: { state: 11, key: 'accountCreated' },
  factorAdded: { state: 12, key: 'factorAdded' },
} as const satisfies Readonly<Record<string, { state: number; key: keyof Words['loginMessages'] }>>;

export type LoginMessage = (typeof loginMessages)[keyof typeof loginMessages];

export interface PendingStep {
  /** The secret that continues the login. A browser gets it as a cookie, a program as `mfa_token`. */
  readonly token: string;
  /** The methods by which the user can continue, the best first. */
  readonly methods: readonly string[];
}

/** A refusal that the server expects. It is not a fault. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly answer: Answer;
  /** Seconds until another try can succeed, if known. */
  readonly retryAfterSeconds: number | undefined;
  readonly pending: PendingStep | undefined;
  /** The path at which a browser continues, if no form names one. */
  readonly next: string | undefined;

  constructor(answer: Answer, retryAfterSeconds?: number, pending?: PendingStep, next?: string) {
    super(answer.name);
    this.answer = answer;
    this.retryAfterSeconds = retryAfterSeconds;
    this.pending = pending;
    this.next = next;
  }
}

/** A fault in a field of a form. Pages show the text of the code, in their language. */
export interface FieldFault {
  readonly field: string;
  /** The key of the text in the catalogue of a language. Programs get the English text. */
  readonly code: keyof Words['fields'];
  /** Values for the placeholders of the text, such as `{ count: 15 }`. */
  readonly values?: Readonly<Record<string, string | number>>;
}

/** Refuses the fields of a form. A page shows the form again with each fault beside its field, a program gets them as a list (422). */
export class InvalidFields extends Error {
  override readonly name = 'InvalidFields';
  readonly faults: readonly FieldFault[];

  constructor(...faults: readonly FieldFault[]) {
    super('invalid fields');
    this.faults = faults;
  }
}

/** A fault in a field that programs get as `answer`, such as an OAuth error, in place of the list of faults. */
export class RefusedField extends InvalidFields {
  readonly answer: Answer;

  constructor(answer: Answer, fault: FieldFault) {
    super(fault);
    this.answer = answer;
  }
}
