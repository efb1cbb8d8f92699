import type { Events } from '../../core/audit/event.ts';

/** Reasons for which Janua refuses a request of an application, for `janua explain`. */
const refusalReasons = {
  'redirect-address': {
    words: 'the redirect address is not one of those that the client has; the whole address is compared',
    advice:
      'Compare the two, character by character: janua clients show ID. Then: janua clients set ID --redirect-uri URL. Repeat --redirect-uri for every address, because the list is replaced.',
  },
  'unknown-client': {
    words: 'there is no client with that id',
    advice: 'Compare the client_id in the settings of the application with janua clients list.',
  },
  'client-secret': {
    words: 'the client proved itself with a wrong secret, or not in the way it was added for',
    advice:
      'Compare the secret, or make a new one: janua clients rotate-secret ID. A client added with --public has none.',
  },
  'expired-secret': {
    words: 'the client proved itself with a secret that has expired',
    advice: 'Add another one, and put it into the settings of the application: janua clients secret add ID --name NAME',
  },
  'client-key': {
    words: 'the client proved itself with an assertion that does not count, or not with the key that it has to use',
    advice:
      'The line Because says why. The assertion needs iss and sub with the client_id, aud with the address of this server alone, exp within five minutes, and a jti that counts once; its key must be one of the client: janua clients show ID. To replace the keys: janua clients set ID --jwks FILE',
  },
  'client-keys': {
    words: 'the keys at the jwks_uri of the client, with which it proved itself, could not be had',
    advice:
      'The line Because says why. The address must answer in three seconds with JSON of at most 64 KB, without a redirect, from a public address or a host in OIDC_PRIVATE_HOSTS. Janua asks again after 30 seconds.',
  },
  workload: {
    words: 'the client proved itself with a token of another issuer that it does not trust',
    advice:
      'The line Because names the claim with both values. If the workload should be let in: janua clients set ID --trust …. Repeat --trust for every one, because the list is replaced.',
  },
  'workload-audience': {
    words: 'the client proved itself with a token of another issuer that was not made for this server alone',
    advice:
      'The line Because names both audiences. Let the workload ask its issuer for a token for this one and no other: at GitHub by audience, at GitLab by aud in id_tokens, in Kubernetes by audience of the projected token.',
  },
  'workload-time': {
    words:
      'the client proved itself with a token of another issuer that has expired, is older than an hour, or is of the future',
    advice:
      'Let the workload get a new token from its issuer before each request. If the token was new, a clock is wrong: compare the times in the line Because, and run janua doctor.',
  },
  'workload-once': {
    words:
      'the client proved itself with a token of another issuer that counts once, and was used already or has no jti',
    advice:
      'Let the workload get a new token from its issuer for each request. If its issuer gives the same one again, as Kubernetes does, or one without jti: janua clients set ID --trust …, without once. If the workload sent it only once, an attacker may have it.',
  },
  'too-many-workloads': {
    words: 'the client proved itself with too many tokens of other issuers in five minutes',
    advice:
      'Let the program use its access token again, which lasts an hour, in place of getting one for each request.',
  },
  'issuer-keys': {
    words: 'the keys of the other issuer, with whose token the client proved itself, could not be had',
    advice:
      'The line Because says why. The issuer must answer in three seconds with JSON of at most 64 KB, without a redirect, from a public address or a host in OIDC_PRIVATE_HOSTS. Janua asks again after 30 seconds. An issuer behind a private authority needs its keys as a file: --trust …,jwks=FILE',
  },
  'document-host': {
    words: 'the client wanted to introduce itself by a document, and the host of the document is not allowed',
    advice: 'If the application may be used: add the host to CLIENT_ID_METADATA.',
  },
  'document-fetch': {
    words: 'the document at the address of the client could not be fetched',
    advice:
      'The address must answer in three seconds with JSON of at most 5 KB, without a redirect, from a public address or a host in OIDC_PRIVATE_HOSTS. The log says at `debug` what happened.',
  },
  document: {
    words: 'the document at the address of the client does not describe a client that may be used',
    advice: 'Tell the maker of the application. The log says at `debug` what is wrong with the document.',
  },
  'unknown-resource': {
    words: 'the resource is not registered',
    advice:
      'Compare it with janua resources list, character by character, or add it: janua resources add URI --scopes …',
  },
  'not-of-program': {
    words: 'the program may do nothing at that resource',
    advice: 'Compare the resource with what janua clients show ID says, character by character.',
  },
  'not-exchangeable': {
    words: 'the token to exchange is over, is no opaque token of a user, or was not made for the server that sent it',
    advice:
      'The server must send an access token that it has received, as it is. A token that was exchanged once, or of a program, cannot be exchanged.',
  },
  'no-exchange': {
    words: 'the server may not exchange its tokens for the resource that it named',
    advice: 'If it should: janua resources set URI --exchange-for OTHER=SCOPES. Repeat --exchange-for for every one.',
  },
  'grant-ended': {
    words: 'the administrator who let the program act is deleted, disabled or no longer in admins',
    advice:
      'If the program should go on, let a member of admins save its page again, or: janua clients set ID --scope … --within …',
  },
  'program-lacks-scope': {
    words: 'the program has none of the scopes that the request named',
    advice:
      'janua clients show ID lists the scopes of the program. Let it name some of those, or none, which gives it all. To grant another one: janua clients set ID --scope … --within …, or at a resource --may URL=SCOPE. Repeat every one, because the list is replaced.',
  },
  'not-a-program': {
    words: 'the client is no program that acts as itself (client_credentials)',
    advice:
      'If it was one: janua clients set ID --scope … --within …. A client that signs users in cannot be one too: janua clients add --name NAME --machine --scope … --within …',
  },
  'grant-type': {
    words: 'the client may not use the grant_type of the request',
    advice:
      'janua clients show ID tells what it may. A program that acts as itself uses client_credentials alone. For a device: janua clients set ID --device. To sign users in: janua clients set ID --redirect-uri URL',
  },
  pkce: {
    words: 'the code_challenge was not by S256, or the code_verifier did not fit it, or one of the two was missing',
    advice: 'Switch PKCE with S256 on in the application. A proxy or cache may have changed the request.',
  },
  'proof-of-key': {
    words: 'the proof of a key (DPoP) was missing, was sent again, or was not for this request, token or key',
    advice:
      'The line Because says why. A proof needs htm and htu with the method and the address of the request, iat within five minutes, a jti that counts once, and with an access token its ath. If the application cannot send one: janua clients set ID --no-dpop',
  },
  'not-pushed': {
    words: 'the sign-in had no pushed request (PAR), which the settings of the client demand',
    advice:
      'Switch pushed authorization requests (PAR) on in the application. If it has no such setting: janua clients set ID --no-pushed-requests',
  },
  'pushed-over': {
    words: 'the pushed request is not there: it has expired, was used already, or is another client’s',
    advice:
      'Nothing, if it does not happen again: the user opens the application anew. A browser has to begin with a pushed request within a minute, and it counts once.',
  },
  'no-challenge': {
    words: 'the request had no code_challenge (PKCE), which this client always has to send',
    advice: 'Switch PKCE with S256 on in the application.',
  },
  'no-challenge-but-nonce': {
    words: 'the request had a nonce, and no code_challenge (PKCE), which the settings of the client demand',
    advice:
      'Switch PKCE with S256 on in the application. If it has no such setting, let the nonce take its place: janua clients set ID --pkce nonce',
  },
  'no-challenge-nor-nonce': {
    words: 'the request had neither a code_challenge (PKCE) nor a nonce with the scope openid',
    advice:
      'Switch PKCE with S256 on in the application, or its nonce. If it has neither setting, and all its redirect addresses are https: janua clients set ID --pkce optional. Then nothing in the request protects the code, but the state that the application has to check.',
  },
  'token-of-another': {
    words: 'it asked about a token that was not made for it, and heard that the token is not active',
    advice:
      'A client may ask about tokens that it got itself. A server that accepts tokens of other clients needs a secret of its own: janua resources set URL --secret. The token must have its address as audience: the application has to name it as resource.',
  },
  grant: {
    words: 'the code or refresh token has expired, was used already, or its session has ended or was revoked',
    advice: 'Sign in again from the application. If it happens often: two programs may share one refresh token.',
  },
  scope: {
    words: 'none of the scopes that the request named can be given',
    advice:
      'Compare the scopes in the settings of the application with those that there are: openid, profile, email, groups, offline_access, and those of janua resources list.',
  },
  'access-token': {
    words: 'there was no access token, or it has expired, or its session has ended or was revoked',
    advice: 'Nothing, if the application then signs its user in again or uses its refresh token.',
  },
  denied: {
    words: 'the user said no, or may not use the application',
    advice: 'janua clients show ID tells which groups may.',
  },
  'not-in-group': {
    words: 'the client is for members of groups that the user is not in',
    advice: 'If the user should use it: janua users groups EMAIL --add GROUP.',
  },
  'second-factor-off': {
    words: 'the application demands a second factor, and SECOND_FACTOR is off',
    advice: 'Set SECOND_FACTOR=optional, or take the demand back: janua clients set ID --no-second-factor.',
  },
  'sign-in-over': {
    words: 'the sign-in has ended, was answered already, or began in another browser or session',
    advice: 'Nothing, if it does not happen again: the user opens the application anew.',
  },
  'unknown-device': {
    words: 'no device waits with that code: it has expired, was answered already, or was mistyped',
    advice: 'Nothing, if it does not happen again: the device shows a new code.',
  },
  'no-provider': {
    words: 'there is no client, so nothing signs in here',
    advice: 'Add the application: janua clients add --name NAME --redirect-uri URL.',
  },
  'too-long': {
    words: 'the request was longer than one may be that waits for its user',
    advice:
      'Each parameter may have 2,048 characters, all of them 2,700 as a query, and the whole address 8,192. Shorten state or claims in the settings of the application.',
  },
  'repeated-parameter': {
    words: 'the request had a parameter twice, or more than 50 parameters',
    advice: 'Let the application send each parameter once. Only resource may come several times.',
  },
  'logout-hint': {
    words:
      'the ID token of the logout (id_token_hint) is none that this server issued to the client, or it is not enough to log a user out without a question: it names no session, its key was retired, or its application described itself',
    advice: 'Let the application send the ID token of its last sign-in, and the client_id that it was issued to.',
  },
  'logout-address': {
    words: 'the address to return to after the logout is not one of those that the client has',
    advice:
      'Compare the two, character by character: janua clients show ID. Then: janua clients set ID --post-logout-redirect-uri URL. Repeat it for every address, because the list is replaced. Without id_token_hint and client_id Janua does not know whose address it is.',
  },
  request: {
    words: 'the request was not as the protocol wants it',
    advice:
      'The line Because says what is wrong, and Parameter what was sent. Change it in the settings of the application, or tell its maker.',
  },
} as const;

export type RefusalReason = keyof typeof refusalReasons;

const checkLogoutAddress = 'Check the back-channel logout address of the application, and whether Janua can reach it.';

const byOperator = { by: 'operator', level: 'info' } as const;
const changed = { ...byOperator, isChange: true, vocabulary: 'privilege_permissions_changed' } as const;

export const events = {
  'client-added': { ...changed, words: 'An application was added as a client' },
  'client-changed': { ...changed, words: 'The settings of a client were changed' },
  'client-secret-rotated': {
    isChange: true,
    ...byOperator,
    vocabulary: 'authn_token_created',
    words: 'A client got a new secret, and the old ones stopped working',
  },
  'client-secret-added': {
    isChange: true,
    ...byOperator,
    vocabulary: 'authn_token_created',
    words: 'A client got a further secret',
  },
  'client-secret-given': {
    isChange: true,
    ...byOperator,
    vocabulary: 'authn_token_created',
    words: 'A client got a secret that the operator has chosen, in place of the former one of that name',
  },
  'client-secret-removed': {
    isChange: true,
    ...byOperator,
    vocabulary: 'authn_token_revoked',
    words: 'A secret of a client was removed',
  },
  'client-removed': { ...changed, words: 'A client was removed, which ended everything that it held' },
  'resource-added': { ...changed, words: 'A server was added that accepts access tokens' },
  'resource-changed': { ...changed, words: 'The settings of a server that accepts access tokens were changed' },
  'subject-given': { ...changed, words: 'The operator chose the id by which applications know the user' },
  'resource-secret-rotated': {
    isChange: true,
    ...byOperator,
    vocabulary: 'authn_token_created',
    words: 'A server that accepts access tokens got a new secret to ask about them, and its old one stopped working',
  },
  'resource-removed': { ...changed, words: 'A server that accepts access tokens was removed' },
  'application-revoked': {
    isChange: true,
    isNeverRefused: true,
    by: 'account-holder',
    level: 'info',
    vocabulary: 'authn_token_revoked',
    words: 'The user took back what an application may have, which ended its tokens',
  },
  'application-signed-in': {
    vocabulary: 'authn_login_success',
    by: 'account-holder',
    level: 'info',
    words: 'The user signed in to an application',
    advise: ({ detail }) =>
      detail === undefined
        ? []
        : [
            'If a claim should have a value, compare the table with the user: janua clients show ID, janua users claims EMAIL.',
          ],
  },
  'application-refused': {
    vocabulary: 'authz_fail',
    by: 'anyone',
    level: 'info',
    words: 'A request of an application was refused',
    reasons: refusalReasons,
  },
  'consent-given': {
    isChange: true,
    vocabulary: 'authz_change',
    by: 'account-holder',
    level: 'info',
    words: 'The user let an application have data of the account',
  },
  'logout-notice-failed': {
    vocabulary: 'session_expired',
    by: 'account-holder',
    level: 'warn',
    words: 'An application was not told that a session has ended',
    reasons: {
      'too-many': {
        words: 'more notices about one user waited for it than may wait',
        advice: checkLogoutAddress,
      },
    },
    advise: () => [checkLogoutAddress],
  },
} as const satisfies Events;
