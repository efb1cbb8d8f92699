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
    mailbox: 'Open the demo’s mailbox',
    unreachable: 'The server could not be reached. Please try again.',
    showPassword: 'Show password',
  },
  login: {
    title: 'Login',
    heading: 'Log in',
    lead: 'to continue to {name}',
    username: 'Username',
    password: 'Password',
    remember: 'Keep me signed in',
    submit: 'Log in',
    forgotPassword: 'Forgot password?',
    signUp: 'Sign up',
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
    passwordChanged: 'Your password was changed. Please log in.',
    accountDeleted: 'Your account was deleted.',
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
    applications: 'Your applications',
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
    again: 'Get a new link',
    titles: {
      400: 'Bad Request',
      401: 'Unauthorized',
      403: 'Forbidden',
      404: 'Not Found',
      405: 'Method Not Allowed',
      409: 'Conflict',
      410: 'Link Expired',
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
      503: 'The service is overloaded or under maintenance. Please try again in a moment.',
      other: 'The request cannot be carried out',
    },
  },
  /** By the name of the answer. Those that lead to the login page have their words in `loginMessages`. */
  refusals: {
    'ambiguous-credential': 'Send one Authorization header, not several',
    'cross-site': 'This request was sent by another site and was not carried out',
    'invalid-return': 'This link leads nowhere, or no longer. Please open the application again',
    'unreadable-fields': 'Send each field once, as text',
    'no-such-session': 'You have no session with that id',
    'too-many-confirmations': 'Too many attempts. Please wait before trying again.',
    'invalid-fields': 'Some fields cannot be accepted',
    'too-many-exports': 'Too many exports. Please wait before trying again.',
    'link-expired': 'This link has expired or was used already',
  },
  /** What is wrong with a field of a form, by code. */
  fields: {
    missing: 'Required',
    'too-long': 'At most {count} characters',
    malformed: 'Not valid text',
    'not-an-address': 'Not an e-mail address',
    'wrong-domain': 'Only addresses of these domains can sign up: {domains}',
    'wrong-password': 'Incorrect password',
    'password-too-short': 'Too short: at least {count} characters',
    'password-too-long': 'At most {count} bytes',
    'password-common': 'One of the most common passwords',
    'password-breached': 'Known from a data breach',
    'password-personal': 'Contains your name, your address or the name of this site',
    'password-unchanged': 'The same as the current password',
    'unknown-language': 'Not one of these languages: {languages}',
  },
  /** The mailbox of the demo. */
  mailbox: {
    title: 'Mailbox',
    lead: 'The mails that {name} would have sent. To see newer mails, reload the page.',
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
  signUp: {
    title: 'Sign up',
    heading: 'Create an account',
    lead: 'Enter your e-mail address. We will send you a link to continue.',
    submit: 'Send link',
    sent: 'Check your mail.',
    sentMore: 'If the address is correct, you will soon receive a mail with a link. The link works for one day.',
  },
  finishSignUp: {
    title: 'Finish your account',
    heading: 'Finish your account',
    lead: 'Your address {email} is confirmed.',
    submit: 'Create account',
  },
  forgotPassword: {
    title: 'Forgot password',
    heading: 'Forgot your password?',
    lead: 'Enter the e-mail address of your account. We will send you a link to choose a new password.',
    submit: 'Send link',
    sent: 'Check your mail.',
    sentMore:
      'If the address belongs to an account, you will soon receive a mail with a link. The link works for 30 minutes.',
  },
  resetPassword: {
    title: 'New password',
    heading: 'Choose a new password',
    lead: 'For the account {email}. You will be logged out everywhere.',
    submit: 'Set password',
  },
  confirmEmail: {
    title: 'Confirm address',
    heading: 'Confirm your new address',
    lead: 'Once you confirm it, you log in as {email}.',
    submit: 'Confirm address',
  },
  account: {
    title: 'Account',
    heading: 'Your account',
    name: 'Name',
    firstName: 'First name',
    lastName: 'Last name',
    email: 'E-mail address',
    since: 'Created on',
    sessions: 'Signed in',
    sessionCount: { one: 'In {count} place', other: 'In {count} places' } as Plural,
    changedAt: 'Changed on {date}',
    change: 'Change',
    show: 'Show',
    save: 'Save',
    back: 'Back to your account',
    toLogin: 'Back to the login page',
    changeName: 'Change your name',
    changeEmail: 'Change your e-mail address',
    changeEmailLead:
      'You currently log in as {email}. We will send a link to the new address. Nothing changes until you open it.',
    newEmail: 'New e-mail address',
    sendLink: 'Send link',
    changePassword: 'Change your password',
    changePasswordLead: 'You will be logged out everywhere else.',
    currentPassword: 'Current password',
    newPassword: 'New password',
    passwordHint: 'At least 15 characters. A few words with spaces are fine.',
    showSessions: 'Show where you are signed in',
    export: 'Download your data',
    delete: 'Delete your account',
    /** By the `state` in the address. */
    messages: {
      1: 'Your password was changed. You are logged out everywhere else.',
      2: 'We have sent a link to the new address. Open it to confirm the change.',
      3: 'Your e-mail address was changed.',
      4: 'Your name was changed.',
      5: 'Thank you. You can download your data now.',
    },
  },
  sessions: {
    title: 'Where you are signed in',
    lead: 'If you do not recognize one of these, end it and change your password.',
    current: 'This session',
    started: 'Signed in on {time}',
    lastSeen: 'Last used on {time}',
    remembered: 'Stays signed in',
    end: 'End',
    endOthers: 'End all other sessions',
    /** By the `state` in the address. */
    messages: {
      1: 'That session has ended.',
      2: 'All other sessions have ended.',
    },
  },
  clients: {
    on: '{browser} on {system}',
    unknown: 'Unknown browser',
  },
  deletion: {
    lead: 'This permanently deletes the account {email}, including:',
    lost: [
      'Your name, e-mail address and password',
      'All your sessions: you are logged out everywhere',
      'Your access to every application that uses this account',
    ],
    submit: 'Delete account',
  },
  /** By purpose. */
  mails: {
    'sign-up': {
      subject: 'Finish your account',
      paragraphs: [
        'Someone, probably you, wants to create an account for {app} with this e-mail address. To continue, open this link:',
      ],
      action: 'Continue',
      after: [
        'The link works once and expires after one day. If this was not you, ignore this mail. No account will be created.',
      ],
    },
    'sign-up-known': {
      subject: 'You have an account already',
      paragraphs: [
        'Someone, probably you, wants to create an account for {app} with this e-mail address. You already have one. Log in here:',
      ],
      action: 'Log in',
      after: [
        'If you have forgotten your password, you can choose a new one here: {reset}',
        'If this was not you, ignore this mail.',
      ],
    },
    'reset-password': {
      subject: 'Choose a new password',
      paragraphs: [
        'Someone, probably you, wants to reset the password of your {app} account. To choose a new one, open this link:',
      ],
      action: 'Choose a new password',
      after: [
        'The link works once and expires after 30 minutes. If this was not you, ignore this mail. Your password will not change.',
      ],
    },
    'confirm-email': {
      subject: 'Confirm your new address',
      paragraphs: ['To use {email} instead of {former} for your {app} account, open this link:'],
      action: 'Confirm address',
      after: [
        'The link works once and expires after one day. If this was not you, ignore this mail. Nothing will change.',
      ],
    },
    'email-change-requested': {
      subject: 'Your address is about to change',
      paragraphs: [
        'Someone, probably you, wants to change the e-mail address of your {app} account from {former} to {email}. Nothing changes until the link that we sent to the new address is opened.',
        'If this was not you, log in and change your password at once:',
      ],
      action: 'Open your account',
    },
    'email-changed': {
      subject: 'Your address was changed',
      paragraphs: [
        'The e-mail address of your {app} account was changed from {former} to {email}.',
        'If this was not you, contact the operator of this site.',
      ],
    },
    'password-changed': {
      subject: 'Your password was changed',
      paragraphs: [
        'The password of your {app} account was changed. You were logged out everywhere else.',
        'If this was not you, choose a new password at once:',
      ],
      action: 'Choose a new password',
    },
    'new-sign-in': {
      subject: 'New sign-in',
      paragraphs: [
        'Someone, probably you, has logged in to your account at {app} from a browser or program that is new to it:',
        '{login}',
        'If it was you, ignore this mail. If it was not, end that session and change your password:',
      ],
      action: 'Show your sessions',
    },
    'account-deleted': {
      subject: 'Your account was deleted',
      paragraphs: [
        'Your {app} account was deleted, as you asked. Goodbye!',
        'If this was not you, contact the operator of this site.',
      ],
    },
  } as Readonly<Record<string, MailWords>>,
};

export type Words = typeof words;
