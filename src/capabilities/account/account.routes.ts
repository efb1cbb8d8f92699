import { Readable } from 'node:stream';
import type { Core } from '../../core/core.ts';
import { addAction } from '../../web/action.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { accountPath } from '../../web/next.ts';
import { header, json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { findWaitingAddress } from './email.ts';
import type { ExportAccount } from './export.ts';
import { describeAccount, tooManyExports } from './export.ts';
import type { OwnSessions } from './sessions.ts';
import { accountView } from './views.ts';

const accountSchema = object('The account', {
  username: text('ann@example.com'),
  handle: { ...orNull(text('ann')), description: 'A second name with which the user signs in' },
  verification: {
    ...orNull(
      object('What says that the address is the one of the user', {
        how: text('mail', '`mail`, `upstream`, `administrator` or `command`'),
        at: orNull(time),
      }),
    ),
    description: 'Null unless the address is verified',
  },
  first_name: text('Ann'),
  last_name: text('Archer'),
  language: orNull(text('en', 'The language that the user has chosen')),
  created_at: orNull(time),
  password_changed_at: orNull(time),
  sessions: { type: 'integer', description: 'Where the user is signed in', examples: [2] },
  second_factor: { type: 'boolean', description: 'Whether there is a passkey or an authenticator app' },
  groups: listOf(text('staff'), 'The groups of the user'),
  scope: text('reports:read', 'What this request may do, separated by spaces'),
});

const part = { type: 'object', additionalProperties: true, examples: [{}] };
const lists = ['identities', 'applications', 'sessions', 'tokens', 'links', 'mails', 'events'].map(
  (name) => [name, listOf(part)] as const,
);
const exportSchema = object(
  'What this server stores about the user',
  {
    account: part,
    second_factors: part,
    sub: text('4a25a1ee-1f5d-4a0b-9d6d-2b1c4f1f0a11', 'What applications know the user by. Missing if none has asked'),
    passkey_offer: { ...part, description: 'Only of users who did not want a passkey. Null: they are not asked again' },
    ...Object.fromEntries(lists),
  },
  ['passkey_offer', 'sub'],
);

type Parts = Pick<Core, 'users' | 'ports' | 'personalTokens' | 'sentOutbox' | 'tokens'> & {
  readonly ownSessions: OwnSessions;
  readonly exportAccount: ExportAccount;
};

export function addAccount(app: App, parts: () => Parts): void {
  addAction(app, [accountPath, '/api/account'], {
    method: 'GET',
    summary: 'Account',
    tag: 'Account',
    config: { signedIn: true, takesTurn: true, view: accountView },
    answer: json('The account', accountSchema),
    browser: 'The page Account',
    async handle(request) {
      const signedIn = signedInOf(request);
      const { users, ownSessions, ports, personalTokens } = parts();
      const { user } = signedIn;
      const { passkeys, totp, signal } = await ports.factors.list(user, signedIn.session.stamp);
      const onPage =
        request.format === 'html'
          ? {
              identities: (await ports.listIdentities(user)).length,
              applications: await ports.countApplications(user),
              tokens: (await personalTokens.list(user)).length,
              waitingAddress: await findWaitingAddress(parts(), signedIn),
            }
          : undefined;
      return {
        ...onPage,
        ...(await describeAccount(user, users)),
        sessions: (await ownSessions.list(signedIn)).length,
        second_factor: passkeys.length > 0 || totp !== undefined,
        scope: signedIn.scopes.join(' '),
        passkeys: passkeys.length,
        signal,
        totp: totp !== undefined,
        // The forms ask for the password if there is one. A user who signs in with another provider or a passkey may have none.
        hasPassword: (await users.findById(user.id))?.passwordHash !== undefined,
      };
    },
  });

  addAction(app, [`${accountPath}/export`, '/api/account/export'], {
    method: 'GET',
    summary: 'Export',
    description:
      'What this server stores about the user, without secrets. After three exports, the next ones need pauses of up to an hour. A browser saves it as a file.',
    tag: 'Account',
    config: {
      signedIn: true,
      takesTurn: true,
      refusesLimited: true,
      openedAt: `${accountPath}?state=5`,
      freshProof: { page: ({ account }) => account.export },
      refusals: [tooManyExports],
    },
    answer: {
      ...json('What this server stores about the user', exportSchema),
      headers: header('Content-Disposition', 'A name for the file'),
    },
    browser: 'A file with the same JSON',
    async handle(request, reply) {
      const signedIn = signedInOf(request);
      const { ports, exportAccount } = parts();
      reply.header('content-disposition', 'attachment; filename="account.json"');
      reply.type('application/json; charset=utf-8');
      // A HEAD request exports nothing, as in `admin/file-export.ts`. Fastify would otherwise read the whole file, only to discard it.
      if (request.method === 'HEAD') return reply.send(Readable.from([]));
      const factors = await ports.factors.list(signedIn.user, signedIn.session.stamp);
      return reply.send(await exportAccount(signedIn, factors, request.caller));
    },
  });
}
