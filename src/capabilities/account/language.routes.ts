import { byOwner, invalidToken, lockingOf } from '../../core/access/access.ts';
import { changeRefusals } from '../../core/access/change-refusals.ts';
import { type Answer, InvalidFields, Refusal } from '../../core/access/refusal.ts';
import { limitedToken } from '../../core/access/scope.ts';
import type { Core } from '../../core/core.ts';
import { inTransactionOn } from '../../ground/database/transaction.ts';
import { isLanguage, languages } from '../../ground/languages/languages.ts';
import { addAction } from '../../web/action.ts';
import { languageCookie } from '../../web/cookies.ts';
import { detailAnswer } from '../../web/fields.ts';
import { bodyLimit } from '../../web/hooks/bodies.ts';
import { ambiguousCredential } from '../../web/hooks/credentials.ts';
import { homePath, longestPage, safeNext } from '../../web/next.ts';
import { settingCookies } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';

const detail = 'Language set';

const limitedAccess: Answer = { ...limitedToken, event: { kind: 'permission-refused', reason: 'limited-token' } };

type Parts = Pick<Core, 'database' | 'access' | 'users' | 'audit'>;

/** Stores the language that a user chooses for pages and mails: in a cookie, and with the account of a signed-in user. */
export function addLanguage(app: App, parts: () => Parts, { https }: { readonly https: boolean }): void {
  const cookie = languageCookie(https);
  addAction(app, ['/auth/language', '/api/language'], {
    method: 'POST',
    summary: 'Choose a language',
    description: 'For pages and mails. `detail` stays in English.',
    tag: 'Account',
    fields: {
      language: { description: languages.map((language) => `\`${language}\``).join(', '), examples: ['de'] },
      next: { maxLength: bodyLimit, description: 'For pages: the path to go to' },
    },
    config: {
      openedAt: '/auth/login',
      takesCredentials: 'optional',
      refusals: [ambiguousCredential, invalidToken, limitedAccess, changeRefusals['too-many-changes']],
    },
    answer: settingCookies(detailAnswer(detail)),
    browser: 'Pages: to `next`, or to the home page',
    async handle(request, reply, { language, next }) {
      const { presented, caller } = request;
      if (!isLanguage(language)) {
        const values = { languages: languages.join(', ') };
        throw new InvalidFields({ field: 'language', code: 'unknown-language', values });
      }
      // Without a credential, the server only sets the cookie. This works even if the database cannot be reached.
      if (presented.cookie !== undefined || presented.accessToken !== undefined) {
        const { database, access, users, audit } = parts();
        // A browser whose session has ended still gets the cookie. A program has no cookie, so its token must be valid.
        const find = presented.accessToken === undefined ? access.findSignedIn : access.requireSignedIn;
        const signedIn = await find(presented, request);
        if (signedIn?.limited) throw new Refusal(limitedAccess);
        if (signedIn !== undefined && signedIn.user.language !== language) {
          const event = { kind: 'language-changed', ...byOwner(signedIn, caller) } as const;
          audit.requireAllowance(event);
          await inTransactionOn(database, lockingOf(signedIn), async (db) => {
            await users.setLanguage(signedIn.user.id, language, db);
            await audit.recordIn(db, event);
          });
        }
      }
      return reply
        .header('set-cookie', cookie.header(language))
        .proceed(safeNext(next, longestPage) ?? homePath, { detail });
    },
  });
}
