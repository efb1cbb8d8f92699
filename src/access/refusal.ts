/**
 * How an expected no is answered. It is data and no function of a request, so that a refusal carries its own answer and the OpenAPI
 * document shows it.
 */
export interface Answer {
  /** Names it in the OpenAPI document, as `invalid-credentials`. */
  readonly name: string;
  readonly status: number;
  /** What happened, for people and programs alike. */
  readonly detail: string;
  /** The error code of a token answer (RFC 6749 5.2): printable ASCII without quotes or backslashes. */
  readonly error?: string;
  /** What a browser gets in place of an error page. */
  readonly loginPage?: LoginPage;
  /** Whether it comes with a Bearer challenge (RFC 6750 3), and takes back a dead session cookie. */
  readonly challenges?: true;
  /** How it is recorded, where the rule that refuses has not done so with what it knows. */
  readonly event?: {
    readonly kind: 'login-incomplete' | 'access-refused' | 'cross-site-refused';
    readonly reason?: string;
  };
}

/** The login page with a message, by a redirect. */
export interface LoginPage {
  readonly message: LoginMessage;
  /** Where the login leads: to the page that was asked for, or to what the form said. */
  readonly next?: 'asked-for' | 'sent';
  /** Whether the page is the answer itself, with its status. */
  readonly inPlace?: true;
}

/** The fixed messages of the login page, by their number in `state`. */
export type LoginMessage = 1 | 2 | 3 | 4 | 5;

/** An expected no. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly answer: Answer;
  /** Seconds after which another try makes sense, where that is known. */
  readonly retryAfterSeconds: number | undefined;

  constructor(answer: Answer, retryAfterSeconds?: number) {
    super(answer.name);
    this.answer = answer;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
