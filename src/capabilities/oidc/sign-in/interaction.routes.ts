import { insufficientUserAuthentication, noSecondFactor } from '../../../core/access/fresh-proof.ts';
import type { Answer } from '../../../core/access/refusal.ts';
import { bodyField } from '../../../web/body-field.ts';
import { signedInOf } from '../../../web/hooks/credentials.ts';
import { otherLoginPath } from '../../../web/login-page.ts';
import { page, redirect, settingCookies } from '../../../web/openapi/responses.ts';
import type { App, Reply, Request } from '../../../web/types.ts';
import type { Shown } from '../../../web/view.ts';
import type { OidcParts } from '../composition.ts';
import { type ProviderParts, requireProvider, tag, uidParameter } from '../provider/provider.routes.ts';
import { interactionOver, noProvider } from '../refusals.ts';
import { stepView } from './views.ts';

export type InteractionParts = Pick<OidcParts, 'interactions'> & Pick<ProviderParts, 'openProvider'>;

export const decisionRefusals: readonly Answer[] = [
  noProvider,
  interactionOver,
  noSecondFactor,
  insufficientUserAuthentication,
];

/** Adds the pages on which a user decides before the application gets its response. */
export function addInteractions(app: App, parts: () => InteractionParts): void {
  const decidingOf = (request: Request, reply: Reply) => ({
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
      config: {
        signedIn: true,
        hasLastingEffect: true,
        view: stepView,
        pageOnly: true,
        refusals: decisionRefusals,
      },
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
    async (request, reply): Shown<typeof stepView> => {
      const step = await parts().interactions.goOn(await requireProvider(parts()), decidingOf(request, reply));
      if (step.to !== undefined) return reply.redirect(pathOf(step.to), 303);
      if (step.refused !== undefined) reply.code(403);
      return { ...step, request_id: request.id };
    },
  );

  app.post(
    url,
    {
      config: { signedIn: true, refusesLimited: true, refusals: decisionRefusals },
      schema: {
        summary: 'Let an application in',
        tags: [tag],
        params,
        response: { 303: settingCookies(redirect('On')) },
      },
    },
    async (request, reply) => {
      const [{ interactions }, shown] = [parts(), bodyField(request.body, 'shown')];
      const [provider, decision] = [await requireProvider(parts()), bodyField(request.body, 'decision')];
      if (decision === 'another')
        return reply.redirect(otherLoginPath(await interactions.beginAnew(provider, decidingOf(request, reply))), 303);
      const to =
        decision === 'continue'
          ? await interactions.keepAccount(provider, decidingOf(request, reply))
          : await interactions.decide(provider, { isAllowed: decision === 'allow', shown }, decidingOf(request, reply));
      return reply.redirect(pathOf(to), 303);
    },
  );
}

/** Returns only the path of an address of Janua. The browser may be at another of its origins, and has to stay there. */
const pathOf = (address: string): string => (address.startsWith('/') ? address : new URL(address).pathname);
