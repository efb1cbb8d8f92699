import { insufficientUserAuthentication, noSecondFactor } from '../../core/access/fresh-proof.ts';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import { addAction } from '../../web/action.ts';
import { bodyField } from '../../web/body-field.ts';
import { signedInOf } from '../../web/hooks/credentials.ts';
import { otherLoginPath } from '../../web/login-page.ts';
import {
  json,
  listOf,
  object,
  orNull,
  page,
  redirect,
  settingCookies,
  text,
  time,
} from '../../web/openapi/responses.ts';
import type { App, Reply, Request } from '../../web/types.ts';
import { DeviceRefused, type ShownApplication } from './interactions.ts';
import type { OidcParts } from './parts.ts';
import { type ProviderParts, requireProvider, tag, uidParameter } from './provider.routes.ts';
import { interactionOver, noProvider, notInGroup, secondFactorOff, unknownDevice } from './refusals.ts';

export type InteractionParts = Pick<OidcParts, 'interactions'> & Pick<ProviderParts, 'openProvider'>;

const refusals: readonly Answer[] = [noProvider, interactionOver, noSecondFactor, insufficientUserAuthentication];

const deviceRefusals: readonly Answer[] = [noProvider, notInGroup, secondFactorOff, unknownDevice];

const applicationSchema = object('What the application wants', {
  document_host: orNull(text('claude.ai', 'Where it introduces itself by a document. Null if the operator added it')),
  name: text('Grafana', 'As the operator has written it, or the application itself in its document'),
  mixes_scripts: { type: 'boolean', description: 'Whether its name or a host may be made to look like another one' },
  scopes: listOf(text('email')),
});

const describe = (application: ShownApplication) => ({
  ...application,
  document_host: application.documentHost ?? null,
  mixes_scripts: application.isMixed,
});

/** Adds the pages between an application and its answer: consent, and devices. */
export function addInteractions(app: App, parts: () => InteractionParts): void {
  const of = (request: Request, reply: Reply) => ({
    req: request.raw,
    res: reply.raw,
    signedIn: signedInOf(request),
    caller: request.caller,
  });

  const url = '/oidc/interaction/:uid';
  const params = uidParameter;
  app.get(
    url,
    {
      config: { signedIn: true, view: 'capabilities/oidc/step', pageOnly: true, refusals },
      schema: {
        summary: 'Let an application in: the page',
        description: 'A browser that need not decide anything is led on.',
        tags: [tag],
        params,
        response: {
          200: page('What the application wants'),
          303: settingCookies(redirect('On')),
          403: page('The user may not use the application. It gets to know when they go back to it'),
        },
      },
    },
    async (request, reply) => {
      const step = await parts().interactions.goOn(await requireProvider(parts()), of(request, reply));
      if (step.to !== undefined) return reply.redirect(pathOf(step.to), 303);
      if (step.refused !== undefined) reply.code(403);
      return { ...step, request_id: request.id };
    },
  );

  app.post(
    url,
    {
      config: { signedIn: true, refusesLimited: true, refusals },
      schema: {
        summary: 'Let an application in',
        tags: [tag],
        params,
        response: { 303: settingCookies(redirect('On')) },
      },
    },
    async (request, reply) => {
      const { interactions } = parts();
      const [provider, decision] = [await requireProvider(parts()), bodyField(request.body, 'decision')];
      if (decision === 'another')
        return reply.redirect(otherLoginPath(await interactions.beginAnew(provider, of(request, reply))), 303);
      const to =
        decision === 'continue'
          ? await interactions.keepAccount(provider, of(request, reply))
          : await interactions.decide(provider, decision === 'allow', of(request, reply));
      return reply.redirect(pathOf(to), 303);
    },
  );

  const onDevice = 'Sign in';
  const device = ['/oidc/device', '/api/oidc/device'] as const;
  const userCode = { description: 'The code that the device shows', examples: ['BCDF-GHJK'] } as const;
  addAction(app, device, {
    method: 'GET',
    summary: 'Sign in on a device: the page',
    tag: onDevice,
    config: { signedIn: true, beginsSignIn: true, view: 'capabilities/oidc/device', refusals: deviceRefusals },
    query: { user_code: userCode },
    answer: json(
      'The device',
      object(
        'The device',
        {
          application: applicationSchema,
          asked_at: time,
          asked_from: orNull(text('203.0.113.7', 'The address from which the device asked')),
        },
        ['application', 'asked_at', 'asked_from'],
      ),
    ),
    browser: 'The page on which the user types the code, or decides',
    async handle(request, reply) {
      const typed = bodyField(request.query, 'user_code');
      const provider = await requireProvider(parts());
      if (typeof typed !== 'string' || typed === '') return {};
      try {
        const { application, askedAt, askedFrom } = await parts().interactions.showDevice(
          ...([provider, typed.slice(0, 20), signedInOf(request), request.caller] as const),
        );
        return {
          userCode: typed.slice(0, 20),
          application: describe(application),
          asked_at: askedAt.toISOString(),
          asked_from: typeof askedFrom === 'string' ? askedFrom : null,
        };
      } catch (error) {
        if (request.format === 'json' || !(error instanceof Refusal)) throw error;
        if (error instanceof DeviceRefused) {
          reply.code(403);
          return { refused: error.refused, request_id: request.id };
        }
        if (error.answer !== unknownDevice) throw error;
        return { isUnknown: true };
      }
    },
  });

  addAction(app, device, {
    method: 'POST',
    summary: 'Sign in on a device',
    tag: onDevice,
    config: {
      signedIn: true,
      openedAt: '/oidc/device',
      refusals: [...refusals, ...deviceRefusals.slice(1)],
    },
    fields: {
      user_code: { required: true, maxLength: 20, ...userCode },
      decision: { required: true, maxLength: 5, description: '`allow`, or `deny`', examples: ['allow'] },
    },
    answer: json('The device is answered', object('The device', { application: applicationSchema })),
    browser: 'To the page of the device, which says so',
    async handle(request, reply, { user_code: typed, decision }) {
      const isAllowed = decision === 'allow';
      const asked = { signedIn: signedInOf(request), caller: request.caller };
      const provider = await requireProvider(parts());
      const application = await parts().interactions.decideDevice(provider, typed, isAllowed, asked);
      return reply.proceed(`/oidc/device?state=${isAllowed ? 'allowed' : 'denied'}`, {
        application: describe(application),
      });
    },
  });
}

/** Ours, so that the browser stays on the origin it is on. */
const pathOf = (address: string): string => (address.startsWith('/') ? address : new URL(address).pathname);
