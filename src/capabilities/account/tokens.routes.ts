import { byOwner, lockingOf } from '../../core/access/access.ts';
import { changeRefusals } from '../../core/access/change-refusals.ts';
import { describeToken } from '../../core/access/describe-token.ts';
import { type Answer, InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { Core } from '../../core/core.ts';
import { provedBy } from '../../core/users/held.ts';
import { readNames } from '../../core/users/scopes.ts';
import { personName } from '../../core/users/user.ts';
import { inTransactionOn } from '../../ground/database/transaction.ts';
import { addAction } from '../../web/action.ts';
import { detailAnswer, exampleId, idField, tokenHost, tokenSchema } from '../../web/fields.ts';
import { addForm } from '../../web/form.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { json, listOf, object, text, time } from '../../web/openapi/responses.ts';
import type { App, Request } from '../../web/types.ts';
import { tokensView } from './views.ts';

const noSuchToken: Answer = { name: 'no-such-token', status: 404, detail: 'You have no token with that id' };

const tokensPath = '/account/tokens';
const mostDays = 365;
const [id, scope] = [text(exampleId), text('reports:read', 'What the token may do, separated by spaces')];
const listSchema = object('The tokens', { tokens: listOf(tokenSchema) });
const token = text('janua_pat_…', 'It is shown only now');
const madeSchema = object('The token was made', { id, token, expires_at: time, scope, host: tokenHost });

type Parts = Pick<Core, 'database' | 'personalTokens' | 'hold' | 'audit' | 'ports'>;

export function addTokens(app: App, parts: () => Parts): void {
  const show = async (request: Request) => {
    const { user, scopes } = signedInOf(request);
    const { personalTokens, ports } = parts();
    return {
      tokens: (await personalTokens.list(user)).map(describeToken),
      scopes,
      hosts: ports.listTokenHosts(user),
      username: user.username,
    };
  };

  addForm(app, [tokensPath, '/api/account/tokens'], {
    summary: 'Personal access tokens',
    description: 'Makes a token for a program of the user. It is shown once. One with a `host` opens that host alone.',
    tag: 'Account',
    config: {
      signedIn: true,
      takesTurn: true,
      freshProof: { page: ({ tokens }) => tokens.title, showsList: true },
      refusals: [changeRefusals['too-many-kept']],
    },
    view: tokensView,
    fields: {
      name: { required: true, maxLength: 100, description: 'What the token is for', examples: ['Nightly report'] },
      scope: {
        list: true,
        maxLength: 2000,
        description: 'What it may do: at most what the request may. Default: nothing',
        examples: ['reports:read'],
      },
      host: {
        maxLength: 300,
        description:
          'The origin of an application behind a proxy, whose rule says `basic`, such as `https://dav.example.com`. The token then opens that host alone, as the password of HTTP Basic, and has no scope',
      },
      expires_in_days: {
        required: true,
        number: true,
        maxLength: 3,
        description: `From 1 to ${mostDays}`,
        examples: [30],
      },
    },
    shown: json('The tokens', listSchema),
    answer: json('The token was made', madeSchema),
    status: 201,
    browser: 'The page with the token',
    show,
    async submit(request, reply, { name: typed, scope: asked, host: typedHost, expires_in_days }) {
      const signedIn = signedInOf(request);
      const { personalTokens, hold, audit, ports } = parts();
      const proved = provedBy(provedOf(request));
      const name = personName(typed);
      if (name === undefined) throw new InvalidFields({ field: 'name', code: 'malformed' });
      const days = /^\d+$/.test(expires_in_days) ? Number(expires_in_days) : 0;
      if (days < 1 || days > mostDays)
        throw new InvalidFields({
          field: 'expires_in_days',
          code: 'not-between',
          values: { least: 1, most: mostDays },
        });
      const scopes = [...new Set(readNames(asked))];
      const lacking = scopes.filter((scope) => !signedIn.scopes.includes(scope));
      if (lacking.length > 0)
        throw new InvalidFields({ field: 'scope', code: 'scope-lacking', values: { scopes: lacking.join(', ') } });
      const host = typedHost || undefined;
      if (host !== undefined && !ports.listTokenHosts(signedIn.user).includes(host))
        throw new InvalidFields({ field: 'host', code: 'not-a-token-host' });
      if (host !== undefined && scopes.length > 0)
        throw new InvalidFields({ field: 'scope', code: 'no-scope-for-host' });
      const event = {
        kind: 'token-made',
        about: host ?? scopes.join(' '),
        ...byOwner(signedIn, request.caller),
      } as const;
      audit.requireAllowance(event);
      const made = await hold(proved, async (held) => {
        await audit.recordIn(held.db, event);
        return personalTokens.create(held, { name, scopes, host, days });
      });
      const { id, token, expiresAt } = made;
      const answer = { id, token, expires_at: expiresAt.toISOString(), scope: scopes.join(' '), host: host ?? null };
      if (request.format === 'json') return reply.code(201).send(answer);
      reply.code(201);
      return { ...(await show(request)), ...answer, values: {}, errors: {} };
    },
  });

  addAction(app, [`${tokensPath}/end`, '/api/account/tokens/end'], {
    method: 'POST',
    summary: 'End a token',
    tag: 'Account',
    config: { signedIn: true, openedAt: tokensPath, refusals: [noSuchToken] },
    fields: { id: idField('The id of the token') },
    answer: detailAnswer('Token ended'),
    browser: 'To the page with the tokens',
    async handle(request, reply, { id }) {
      const signedIn = signedInOf(request);
      const { database, personalTokens, audit } = parts();
      await inTransactionOn(database, lockingOf(signedIn), async (db) => {
        if (!(await personalTokens.end(signedIn.user, id, db))) throw new Refusal(noSuchToken);
        await audit.recordIn(db, { kind: 'token-ended', ...byOwner(signedIn, request.caller) });
      });
      return reply.proceed(`${tokensPath}?state=1`, { detail: 'Token ended' });
    },
  });
}
