import { type Answer, Refusal } from '../../../core/access/refusal.ts';
import { addAction } from '../../../web/action.ts';
import { bodyField } from '../../../web/body-field.ts';
import { signedInOf } from '../../../web/hooks/credentials.ts';
import { json, listOf, object, orNull, text, time } from '../../../web/openapi/responses.ts';
import type { App } from '../../../web/types.ts';
import type { ShownApplication } from '../clients/shown-application.ts';
import { requireProvider } from '../provider/provider.routes.ts';
import { noProvider, notInGroup, secondFactorOff, unknownDevice } from '../refusals.ts';
import { DeviceRefused } from './device-decisions.ts';
import { decisionRefusals, type InteractionParts } from './interaction.routes.ts';
import { deviceView } from './views.ts';

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

const tag = 'Sign in';
const addresses = ['/oidc/device', '/api/oidc/device'] as const;
const userCode = { description: 'The code that the device shows', examples: ['BCDF-GHJK'] } as const;

/** Adds the page on which a user signs a device in. */
export function addDevices(app: App, parts: () => InteractionParts): void {
  addAction(app, addresses, {
    method: 'GET',
    summary: 'Sign in on a device: the page',
    tag,
    config: { signedIn: true, beginsSignIn: true, view: deviceView, refusals: deviceRefusals },
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
        const { shownCode, application, askedAt, askedFrom } = await parts().interactions.showDevice(
          provider,
          typed.slice(0, 20),
          { signedIn: signedInOf(request), caller: request.caller },
        );
        return {
          // Spelled as the device shows it, so that the user compares it with the device and not with the typed text.
          userCode: shownCode,
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

  addAction(app, addresses, {
    method: 'POST',
    summary: 'Sign in on a device',
    tag,
    config: {
      signedIn: true,
      openedAt: '/oidc/device',
      refusals: [...decisionRefusals, ...deviceRefusals.slice(1)],
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
