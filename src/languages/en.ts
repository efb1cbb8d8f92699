/** A text for each kind of number that the language knows (CLDR). `{count}` stands for the number. */
export type Plural = Readonly<Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }>;

/** A mail: its subject, the paragraphs before and after the button, and the text of the button. */
export interface MailWords {
  readonly subject: string;
  readonly paragraphs: readonly string[];
  readonly action?: string;
  readonly after?: readonly string[];
}

/** Every text of pages and mails. The other languages have the same shape. `{name}` stands for a value. */
export const words = {
  layout: {
    logOut: 'Log out',
    language: 'Language: {name}',
    requestId: 'Request id',
    unreachable: 'The server could not be reached. Please try again.',
  },
  login: {
    title: 'Login',
    heading: 'Log in',
    lead: 'to continue to {name}',
    username: 'Username',
    password: 'Password',
    submit: 'Log in',
    waitSeconds: {
      one: 'Too many attempts. Please wait {count} second before trying again.',
      other: 'Too many attempts. Please wait {count} seconds before trying again.',
    } as Plural,
    waitMinutes: {
      one: 'Too many attempts. Please wait {count} minute before trying again.',
      other: 'Too many attempts. Please wait {count} minutes before trying again.',
    } as Plural,
  },
  /** By the keys of `loginMessages`. */
  loginMessages: {
    loggedOut: 'You are logged out.',
    noSession: 'This session has not been logged in before',
    notSignedIn: 'Please log in to continue',
    failed: 'Incorrect username or password',
    throttled: 'Too many attempts. Please wait before trying again.',
    sessionOver: 'This session is over already',
  },
  confirm: {
    title: 'Confirm',
    heading: 'Confirm your password',
    lead: 'You are signed in as {username}. Please confirm that it is you.',
    submit: 'Confirm',
  },
  home: {
    title: 'Home',
    welcome: 'Welcome',
    welcomeName: 'Welcome, {name}',
    lead: 'You are signed in to {name}.',
    myInfo: 'My Info',
    myInfoAsJson: 'My Info as JSON',
  },
  me: {
    title: 'My Info',
    username: 'Username',
    firstName: 'First name',
    lastName: 'Last name',
    back: 'Back to the home page',
  },
  /** The pages of errors, by status. */
  problem: {
    home: 'Go to the home page',
    titles: {
      400: 'Bad Request',
      401: 'Unauthorized',
      403: 'Forbidden',
      404: 'Not Found',
      405: 'Method Not Allowed',
      409: 'Conflict',
      413: 'Payload Too Large',
      414: 'URI Too Long',
      415: 'Unsupported Media Type',
      422: 'Unprocessable Entity',
      429: 'Too Many Requests',
      500: 'Internal Server Error',
      503: 'Service Unavailable',
      other: 'Error',
    },
    sentences: {
      400: 'The request could not be understood',
      404: 'There is nothing at this address',
      405: 'This address does not take that method',
      413: 'The request is too large',
      414: 'The address is too long',
      415: 'This kind of body is not taken here',
      422: 'Some fields cannot be accepted',
      500: 'Something went wrong on our side. It has been recorded under this request id.',
      503: 'The service is busy or being mended. Please try again in a moment.',
      other: 'The request cannot be carried out',
    },
  },
  /** By the name of the answer. Those that lead to the login page have their words in `loginMessages`. */
  refusals: {
    'ambiguous-credential': 'Send one Authorization header, not several',
    'cross-site': 'This request was sent by another site and was not carried out',
    'invalid-return': 'This link leads nowhere, or no longer. Please open the application again',
    'unreadable-fields': 'Send each field once, as text',
    'too-many-confirmations': 'Too many attempts. Please wait before trying again.',
    'invalid-fields': 'Some fields cannot be accepted',
  },
  /** What is wrong with a field of a form, by code. */
  fields: {
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
  },
  /** The mailbox of the demo. */
  mailbox: {
    title: 'Mailbox',
    lead: 'What {name} would have mailed. To see newer mails, reload the page.',
    none: 'There is no mail yet.',
    sent: 'To {address}, {time}',
    open: 'Open the link',
  },
  /** The pages between this site and an application behind a proxy. */
  forward: {
    title: 'Signed in',
    heading: 'You are signed in',
    lead: 'Continue to {origin}.',
    submit: 'Continue',
    refusedTitle: 'Not signed in',
    refusedHeading: 'You could not be signed in here',
    refusedText:
      'Your browser did not send back the cookie that it was given, or it took too long. Allow cookies for this site and try again.',
    again: 'Try again',
  },
  /** By purpose. */
  mails: {} as Readonly<Record<string, MailWords>>,
};

export type Words = typeof words;
