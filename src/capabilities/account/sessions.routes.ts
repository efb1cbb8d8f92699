import { describeSession } from '../../core/access/describe-session.ts';
import { loginMessages } from '../../core/access/refusal.ts';
import { addAction } from '../../web/action.ts';
import { detailAnswer, endTokensField, exampleId, idField } from '../../web/fields.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { loginPath } from '../../web/login-page.ts';
import { json, listOf, object, orNull, settingCookies, text, time } from '../../web/openapi/responses.ts';
import { detailWithTokens, tokenFields } from '../../web/token-answer.ts';
import type { App, FreshProof } from '../../web/types.ts';
import type { OwnSessions } from './sessions.ts';
import { noSuchSession } from './sessions.ts';
import { sessionsView } from './views.ts';

const sessionSchema = object('A session', {
  id: text(exampleId),
  current: { type: 'boolean', description: 'Whether it is the session that asks' },
  browser: text('Firefox on Windows', 'Browser or program, and system, by the `User-Agent` of the login'),
  address: orNull(text('203.0.113.7', 'Where the login came from')),
  started_at: time,
  last_seen_at: { ...time, description: 'RFC 3339, UTC; to within a minute' },
  expires_at: { ...time, description: 'RFC 3339, UTC; when it ends if it is not used again' },
  remembered: { type: 'boolean', description: 'Whether the user chose to stay signed in' },
});

const sessionsSchema = object('The sessions', { sessions: listOf(sessionSchema) });

const sessionsPath = '/account/sessions';

const detail = 'Other sessions ended';

/**
 * Ending sessions needs a fresh proof of identity. An attacker with a stolen session could otherwise end all sessions in which the owner
 * could end the stolen one (ASVS 7.5.2).
 */
const freshProof: FreshProof = { page: ({ sessions }) => sessions.title, showsList: true };

type Parts = { readonly ownSessions: OwnSessions };

export function addSessions(app: App, parts: () => Parts): void {
  addAction(app, [sessionsPath, '/api/account/sessions'], {
    method: 'GET',
    summary: 'Sessions',
    description: 'The sessions of the signed-in user: first the one that asks, then the latest.',
    tag: 'Account',
    config: { signedIn: true, takesTurn: true, view: sessionsView, freshProof },
    answer: json('The sessions', sessionsSchema),
    browser: 'The page with the sessions',
    handle: async (request) => ({
      sessions: (await parts().ownSessions.list(signedInOf(request))).map((own) => ({
        ...describeSession(own),
        current: own.current,
      })),
    }),
  });

  addAction(app, [`${sessionsPath}/end`, '/api/account/sessions/end'], {
    method: 'POST',
    summary: 'End a session',
    description: 'Ends a session of the signed-in user. To end the one that asks is a logout.',
    tag: 'Account',
    config: { signedIn: true, openedAt: sessionsPath, freshProof, refusals: [noSuchSession] },
    fields: { id: idField('The id of the session') },
    answer: settingCookies(detailAnswer('Session ended')),
    browser: 'To the page with the sessions',
    async handle(request, reply, { id }) {
      const signedIn = signedInOf(request);
      await parts().ownSessions.end(signedIn, id, request.caller);
      const isCurrent = id === signedIn.session.id;
      if (isCurrent) reply.answerLogOut();
      const to = isCurrent ? loginPath(loginMessages.loggedOut) : `${sessionsPath}?state=1`;
      return reply.proceed(to, { detail: 'Session ended' });
    },
  });

  addAction(app, [`${sessionsPath}/end-others`, '/api/account/sessions/end-others'], {
    method: 'POST',
    summary: 'End all other sessions',
    description:
      'Ends every session of the signed-in user but the one that asks, which goes on with new credentials. Both responses set the session cookie. Also ends what applications and devices may do without a session, consents, trust in browsers, logins that wait for a second factor, and open links in mails.',
    tag: 'Account',
    config: { signedIn: true, openedAt: sessionsPath, freshProof },
    fields: { end_tokens: endTokensField },
    // The response has no tokens if the session has ended meanwhile, or the request has a personal access token.
    answer: detailWithTokens(detail, detail, Object.keys(tokenFields)),
    browser: 'To the page with the sessions',
    async handle(request, reply, { end_tokens }) {
      const { caller, language } = request;
      const by = { caller, language };
      const renewed = await parts().ownSessions.endOthers(signedInOf(request), end_tokens === 'on', by);
      const answer = { detail, ...(renewed && reply.answerLogin(renewed)) };
      return reply.proceed(`${sessionsPath}?state=2`, answer);
    },
  });
}
