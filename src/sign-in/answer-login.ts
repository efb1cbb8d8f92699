import { passwordFingerprint } from '../users/account.ts';
import type { AnswerLogin } from '../web/token-answer.ts';
import type { KnownBrowsers } from './known-browsers.ts';

/** @param knownBrowsers asked for at each login, because the stores may not be ready before */
export function createAnswerLogin(knownBrowsers: () => KnownBrowsers): AnswerLogin {
  return ({ headers }, reply, { account, session }) => {
    reply.setSessionCookie(session);
    reply.header('set-cookie', knownBrowsers().cookie(passwordFingerprint(account), headers.cookie));
    const { accessToken, expiresInSeconds, tokenScope } = session;
    const scope = tokenScope ?? account.scopes.join(' ');
    const token = { access_token: accessToken, token_type: 'bearer', expires_in: expiresInSeconds } as const;
    return tokenScope === undefined && scope === '' ? token : { ...token, scope };
  };
}
