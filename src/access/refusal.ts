/** The answer to a refused request. It is data and not a function of the request, so the OpenAPI document can show it. */
export interface Answer {
  /** Its name in the OpenAPI document, such as `invalid-credentials`. */
  readonly name: string;
  /** A 401 has a Bearer challenge (RFC 6750 3), and clears a dead session cookie. */
  readonly status: number;
  /** What happened, for people and programs alike. */
  readonly detail: string;
  /** The error code of a token answer (RFC 6749 5.2): printable ASCII without quotes or backslashes. */
  readonly error?: string;
  /** A browser gets the login page with this message in place of an error page. */
  readonly loginPage?: {
    readonly message: LoginMessage;
    /** Where the login leads: to the requested page, or to the `next` that the form sent. */
    readonly next?: 'asked-for' | 'sent';
    /** Whether the response is the login page itself, with the status of the answer, in place of a redirect to it. */
    readonly inPlace?: true;
  };
  /** The event to record, unless the code that refuses has already recorded one. */
  readonly event?: {
    readonly kind: 'login-incomplete' | 'access-refused' | 'cross-site-refused';
    readonly reason?: string;
  };
}

/** The fixed messages of the login page. Its address names a message by `state`. */
export const loginMessages = {
  loggedOut: { state: 0, text: 'You are logged out.' },
  noSession: { state: 1, text: 'This session has not been logged in before' },
  notSignedIn: { state: 2, text: 'Please log in to continue' },
  failed: { state: 3, text: 'Incorrect username or password' },
  throttled: { state: 4, text: 'Too many attempts. Please wait before trying again.' },
  sessionOver: { state: 5, text: 'This session is over already' },
} as const;

export type LoginMessage = (typeof loginMessages)[keyof typeof loginMessages];

/** A refusal that the server expects. It is not a fault. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly answer: Answer;
  /** Seconds until another try can succeed, if known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(answer: Answer, retryAfterSeconds?: number) {
    super(answer.name);
    this.answer = answer;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** What is wrong with a field of a form. Pages show the words of the code, in their language. */
export interface FieldFault {
  readonly field: string;
  /** Finds the words in the catalogue of a language. */
  readonly code: FieldFaultCode;
  /** Fills the places in the words, such as `{ count: 15 }`. */
  readonly values?: Readonly<Record<string, string | number>>;
}

/** In English, for programs. `{name}` stands for a value of the fault. */
export const fieldFaults = {
  missing: 'Required',
  'too-long': 'At most {count} characters',
  malformed: 'Not valid text',
  'not-an-address': 'Not an e-mail address',
  'wrong-domain': 'Only addresses of these domains can sign up: {domains}',
  'wrong-password': 'Incorrect password',
  'password-too-short': 'At least {count} characters. A few words with spaces are fine',
  'password-too-long': 'At most {count} bytes',
  'password-common': 'One of the most common passwords',
  'password-breached': 'Known from a data breach',
  'password-personal': 'Contains your name, your address or the name of this site',
  'password-unchanged': 'The same as the present password',
  'unknown-language': 'Not one of these languages: {languages}',
} as const;

export type FieldFaultCode = keyof typeof fieldFaults;

/** Refuses the fields of a form. A page shows the form again with each fault beside its field, a program gets them as a list (422). */
export class InvalidFields extends Error {
  override readonly name = 'InvalidFields';
  readonly faults: readonly FieldFault[];

  constructor(...faults: readonly FieldFault[]) {
    super('invalid fields');
    this.faults = faults;
  }
}
