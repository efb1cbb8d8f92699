import { insufficientUserAuthentication, type RequireFresh } from '../access/fresh-proof.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { User } from '../users/user.ts';
import type { UserRegistry } from '../users/user-directory.ts';
import { addAction } from '../web/action.ts';
import { signedInOf } from '../web/hooks/credentials.ts';
import { accountPath } from '../web/next.ts';
import { header, json, object } from '../web/openapi/responses.ts';
import type { App } from '../web/types.ts';
import { type ExportAccount, tooManyExports } from './export.ts';

export interface AccountParts {
  readonly registry: UserRegistry | undefined;
  readonly sessions: Pick<Sessions, 'listOf'>;
  readonly exportAccount: ExportAccount;
  readonly requireFresh: RequireFresh;
  readonly manageFactors: {
    list(user: User, stamp: string): Promise<{ readonly passkeys: readonly unknown[]; readonly totp: unknown }>;
  };
}

const time = { type: ['string', 'null'], description: 'RFC 3339, UTC' };

const accountSchema = object('The account', {
  username: { type: 'string' },
  first_name: { type: 'string' },
  last_name: { type: 'string' },
  language: { type: ['string', 'null'], description: 'The language that the user has chosen' },
  created_at: time,
  password_changed_at: time,
  sessions: { type: 'integer', description: 'Where the user is signed in' },
  second_factor: { type: 'boolean', description: 'Whether there is a passkey or an authenticator app' },
});

const exportSchema = object('Everything that this server stores about the user', {
  account: { type: 'object', additionalProperties: true },
  sessions: { type: 'array', items: { type: 'object', additionalProperties: true } },
  events: { type: 'array', items: { type: 'object', additionalProperties: true } },
});

/** Adds the page that shows an account and leads to its changes, and the export of what Janua stores. */
export function addAccount(app: App, parts: () => AccountParts): void {
  addAction(app, [accountPath, '/api/account'], {
    method: 'GET',
    summary: 'Account',
    tag: 'Account',
    config: { signedIn: true, view: 'account/account' },
    answer: json('The account', accountSchema, {
      username: 'ann@example.com',
      first_name: 'Ann',
      last_name: 'Archer',
      language: 'en',
      created_at: '2026-11-26T08:00:00.000Z',
      password_changed_at: null,
      sessions: 2,
      second_factor: true,
    }),
    browser: 'The page Account',
    async handle(request) {
      const { user, query } = request;
      const { registry, sessions, manageFactors } = parts();
      const { passkeys, totp } = await manageFactors.list(user, signedInOf(request).session.stamp);
      const { createdAt, passwordChangedAt } = (await registry?.findDates(user.id)) ?? {};
      return {
        username: user.username,
        first_name: user.firstName,
        last_name: user.lastName,
        language: user.language ?? null,
        created_at: createdAt?.toISOString() ?? null,
        password_changed_at: passwordChangedAt?.toISOString() ?? null,
        sessions: (await sessions.listOf(user.id)).length,
        second_factor: passkeys.length > 0 || totp !== undefined,
        passkeys: passkeys.length,
        totp: totp !== undefined,
        state: (query as Readonly<Record<string, unknown>>).state,
      };
    },
  });

  addAction(app, [`${accountPath}/export`, '/api/account/export'], {
    method: 'GET',
    summary: 'Export',
    description: 'Everything that this server stores about the user, without secrets. A browser saves it as a file.',
    tag: 'Account',
    config: {
      signedIn: true,
      openedAt: `${accountPath}?state=5`,
      refusals: [insufficientUserAuthentication, tooManyExports],
    },
    answer: {
      ...json('What this server stores about the user', exportSchema, { account: {}, sessions: [], events: [] }),
      headers: header('Content-Disposition', 'A name for the file'),
    },
    browser: 'A file with the same JSON',
    async handle(request, reply) {
      const signedIn = signedInOf(request);
      await parts().requireFresh(signedIn, undefined, request);
      reply.header('content-disposition', 'attachment; filename="account.json"');
      return parts().exportAccount(signedIn, request.caller);
    },
  });
}
