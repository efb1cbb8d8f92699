import { changeRefusals } from '../../core/access/change-refusals.ts';
import { addAction } from '../../web/action.ts';
import { exampleId, idField } from '../../web/fields.ts';
import { provedOf, signedInOf } from '../../web/hooks/credentials.ts';
import { json, listOf, object, orNull, settingCookies, text, time } from '../../web/openapi/responses.ts';
import { tokenFields } from '../../web/token-answer.ts';
import type { App, FreshProof, Reply, Request } from '../../web/types.ts';
import type { UpstreamParts } from './composition.ts';
import { type MethodChange, methodsPath } from './linking.ts';
import {
  lastWayIn,
  linkedElsewhere,
  noSuchIdentity,
  noSuchUpstream,
  signInOver,
  upstreamUnreachable,
} from './refusals.ts';
import { leadAway, leadsAway } from './upstream.routes.ts';
import { leadView, methodsView } from './views.ts';

const tag = 'Account';
const addresses = (path: string) => [`${methodsPath}${path}`, `/api${methodsPath}${path}`] as const;
const freshProof: FreshProof = { page: ({ upstream }) => upstream.title, showsList: true };
const config = { signedIn: true, openedAt: methodsPath, freshProof };

const identitySchema = object('A linked account', {
  id: text(exampleId),
  upstream: text('google', 'The id of the provider'),
  provider: text('Google'),
  name: text('ann@gmail.com', 'What the user is called there'),
  linked_at: time,
  last_used_at: orNull(time),
});
const providerSchema = object('A provider', { id: text('google'), name: text('Google') });
const listSchema = object('The ways to sign in', {
  identities: listOf(identitySchema),
  providers: listOf(providerSchema),
});

const changed = (detail: string) => {
  const fields = { detail: { type: 'string' }, ...tokenFields };
  return settingCookies(json(detail, object('What changed', fields, Object.keys(tokenFields)), { detail }));
};

const changeOf = (request: Request): MethodChange => ({
  signedIn: signedInOf(request),
  account: provedOf(request),
  language: request.language,
  caller: request.caller,
});

function answer(
  reply: Reply,
  detail: string,
  state: string,
  renewed: Awaited<ReturnType<UpstreamParts['linking']['link']>>,
) {
  return reply.proceed(`${methodsPath}?state=${state}`, { detail, ...(renewed && reply.answerLogin(renewed)) });
}

/** Adds the page on which users link accounts of other providers, and unlink them. */
export function addSignInMethods(app: App, parts: () => UpstreamParts): void {
  addAction(app, addresses(''), {
    method: 'GET',
    summary: 'Accounts of other providers',
    tag,
    config: { signedIn: true, takesTurn: true, freshProof, view: methodsView },
    answer: json('The ways to sign in', listSchema),
    browser: 'The page with the linked accounts',
    async handle(request) {
      const { linking, upstreamSignIn } = parts();
      const providers = upstreamSignIn.list().map(({ provider: { id, name } }) => ({ id, name }));
      const identities = (await linking.list(signedInOf(request).user)).map(({ id, upstream, name, ...times }) => ({
        id,
        upstream,
        name,
        provider: providers.find((one) => one.id === upstream)?.name ?? upstream,
        linked_at: times.linkedAt.toISOString(),
        last_used_at: times.lastUsedAt?.toISOString() ?? null,
      }));
      return { identities, providers };
    },
  });

  addAction(app, addresses('/begin'), {
    method: 'POST',
    summary: 'Begin to link an account',
    description:
      'Gives the address of the provider. The browser comes back to a page with a button that links the account.',
    tag,
    fields: { upstream: { ...idField('The id of the provider'), examples: ['google'] } },
    config: {
      ...config,
      view: leadView,
      refusals: [noSuchUpstream, upstreamUnreachable],
    },
    answer: leadsAway,
    browser: 'A page that leads to the provider',
    handle: (request, reply, { upstream }) =>
      leadAway(parts(), { upstream, sessionId: signedInOf(request).session.id }, request, reply),
  });

  addAction(app, addresses('/link'), {
    method: 'POST',
    summary: 'Link an account',
    tag,
    fields: {
      link: {
        required: true,
        maxLength: 4096,
        description: 'What the page with the button has',
        examples: ['eyJpc3N1…'],
      },
    },
    config: { ...config, refusals: [signInOver, linkedElsewhere, changeRefusals['too-many-kept']] },
    answer: changed('Account linked'),
    browser: 'To the page with the linked accounts',
    handle: async (request, reply, { link }) =>
      answer(reply, 'Account linked', 'linked', await parts().linking.link(link, changeOf(request))),
  });

  addAction(app, addresses('/unlink'), {
    method: 'POST',
    summary: 'Unlink an account',
    tag,
    fields: { id: idField('The id of the linked account') },
    config: { ...config, refusals: [noSuchIdentity, lastWayIn] },
    answer: changed('Account unlinked'),
    browser: 'To the page with the linked accounts',
    handle: async (request, reply, { id }) =>
      answer(reply, 'Account unlinked', 'unlinked', await parts().linking.unlink(id, changeOf(request))),
  });
}
