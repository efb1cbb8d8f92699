import type { Events } from '../audit/event.ts';

/** The factors that a user can prove. */
export const factorNames = { totp: { words: 'authenticator app' }, passkey: { words: 'passkey' } } as const;

/** The ways in which a login proves the identity of the user. */
const proofs = {
  ...factorNames,
  password: { words: 'password' },
  'sign-up': { words: 'sign-up' },
  upstream: { words: 'another provider' },
  'recovery-code': { words: 'recovery code' },
  'trusted-browser': { words: 'trusted browser' },
} as const;

/** The reason of a login event: the first proof, then `+` and the second one if the login had a second step. */
export type ProvedBy = keyof typeof proofs | `${keyof typeof proofs}+${keyof typeof proofs}`;

export const credentialReasons = {
  'no-credential': {
    words: 'neither a session cookie nor an access token was sent',
    advice:
      'Nothing, if the user had not signed in yet. If they had, the browser used another host or scheme than PUBLIC_URL.',
  },
  'dead-cookie': {
    words: 'the session of the cookie has expired, or a logout or a change of the user ended it, or it never existed',
    advice:
      'Sign in again. janua audit --user EMAIL shows what ended the session. SESSION_IDLE_SECONDS and SESSION_LIFETIME_SECONDS set when sessions expire.',
  },
  'several-cookies': {
    words:
      'the browser sent more than one session cookie, and the server ignored them all, because an attacker may have set one',
    advice:
      'Remove the cookies of this host in the browser. Find the other host of the domain that sets a cookie of this name. With an HTTPS PUBLIC_URL, no other host can.',
  },
  'invalid-token': {
    words:
      'the access token is invalid, or its session or the grant of its program has ended; the server ignores cookies if a token is sent',
    advice:
      'Log in to get a new token. If the user sent none, find the program that adds the Authorization header. The token of a program that acts as itself lasts an hour, and counts for JSON at /api/admin/users, /api/admin/clients and GET /api/admin/groups alone. janua doctor lists the programs whose grant has ended.',
  },
  'several-authorization-headers': {
    words: 'the client sent more than one Authorization header, and the server ignored them all',
    advice: 'Find the sender of the second header: the client, or a proxy in front of this server.',
  },
} as const;

const clockReasons = {
  'future-session': {
    words: 'the session began or was used in the future: the clocks of your servers differ',
    advice: 'Run janua doctor on each server, and let its machine set its clock by NTP.',
  },
} as const;

const forwardReasons = {
  'invalid-host-token': {
    words:
      'the password that came by HTTP Basic is no token for that host: it was made for another one, it has ended, or it never was a token',
    advice:
      'Let the user make a token for that host at /account/tokens, and enter it as the password in the program. janua audit --user EMAIL shows what ended an earlier one.',
  },
  'basic-not-taken': {
    words:
      'the client sent a name and a password by HTTP Basic, which Janua ignored: no rule takes it there, or the client is a browser',
    advice:
      'If programs should enter there by a token: add basic to the rule for the address in FORWARD_AUTH_RULES, beside a group.',
  },
  'origin-not-listed': {
    words: 'a proxy asked about an origin that FORWARD_AUTH_ORIGINS does not list, and no credential counts there',
    advice:
      'If the application should sign users in: add its origin to FORWARD_AUTH_ORIGINS as browsers show it, with the port if there is one. Otherwise, find the proxy that asks.',
  },
  'ticket-in-address': {
    words: 'the address of the request to an application contained a ticket, and no credential counts beside one',
    advice: 'Nothing, if it happened once. Otherwise, find the program that sends addresses with janua-ticket.',
  },
} as const;

export const events = {
  'login-succeeded': {
    vocabulary: 'authn_login_success',
    by: 'account-holder',
    level: 'info',
    words: 'The user logged in, and the server started a new session',
    reasons: proofs,
  },
  'access-refused': {
    vocabulary: 'authz_fail',
    by: 'anyone',
    level: 'info',
    words: 'Access was refused, because no user was signed in',
    reasons: { ...credentialReasons, ...clockReasons, ...forwardReasons },
  },
  'permission-refused': {
    vocabulary: 'authz_fail',
    by: 'account-holder',
    level: 'info',
    words: 'Access was refused, because a scope was missing',
    reasons: {
      'not-granted': {
        words: 'no group of the user grants it',
        advice:
          'If the user should have it: janua groups list shows which group grants it. janua users groups EMAIL --add NAME.',
      },
      'not-in-token': {
        words: 'the token was made for fewer scopes, or no group of the user grants it',
        advice: 'Get a token for this scope. janua users groups EMAIL shows the groups of the user.',
      },
      'program-lacks-scope': {
        words: 'the program does not have the scope, or its token was made without it',
        advice:
          'janua clients show ID lists the scopes of the program. To grant another one: janua clients set ID --scope … --within …. Repeat every scope, because the list is replaced. If the program has the scope, let it ask for its token with this scope, or without any.',
      },
      'not-in-group': {
        words: 'a rule of FORWARD_AUTH_RULES wants a group that the user is not in',
        advice: 'If the user should pass: janua users groups EMAIL --add NAME.',
      },
      'beyond-own': {
        words:
          'the user, group or client that was to be changed has a group or scope that the administrator lacks, before or after the change',
        advice:
          'Let a member of admins make the change. Or if the administrator should have that group: janua users groups EMAIL --add NAME.',
      },
      'beyond-program': {
        words:
          'the user or client is outside the groups of the program, or the change would give a group or scope that the program may not give',
        advice:
          'janua clients show ID lists the groups of the program. To add one: janua clients set ID --scope … --within …. Repeat every group, because the list is replaced. An administrator has to change users who are also in other groups, have a scope of Janua, or have no group and were added by another.',
      },
      'link-not-shown': {
        words: 'only members of admins may hand over the link of a new user',
        advice: 'Have the link mailed, which needs MAIL_URL. Or let a member of admins add the user.',
      },
      'only-admins': {
        words: 'only members of admins may verify the address of a user, or change it at once',
        advice: 'Let a member of admins do it, or an operator by a command.',
      },
      'limited-token': {
        words: 'the token is limited to some scopes, or a personal one, and neither changes nor exports the account',
        advice: 'Sign in on the pages, or get a token without scope.',
      },
      'personal-token': {
        words: 'the route takes no personal access tokens',
        advice: 'Sign in, or get a token by a login.',
      },
    },
  },
} as const satisfies Events;
