import type { Access, Presented } from '../access/access.ts';
import { Refusal } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { bodyField } from '../web/body-field.ts';
import type { FlowOptions } from '../web/flow-options.ts';
import { leave, leavePage, leaveView } from '../web/leave.ts';
import { page, redirect, settingCookies } from '../web/openapi/responses.ts';
import type { App, Reply, Request } from '../web/types.ts';
import { type ProviderParts, repeat, requireProvider, tag } from './provider.routes.ts';
import { applicationRefused, noProvider } from './refusals.ts';

export interface LogOutParts extends ProviderParts {
  readonly access: Access;
  readonly logOut: (presented: Presented, caller: Caller) => Promise<void>;
}

const path = '/oidc/logout';
const fields = ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state'] as const;

const refusals = [noProvider, applicationRefused];

/** Adds the logout that an application begins (OpenID Connect RP-Initiated Logout 1.0). A page of ours always asks. */
export function addApplicationLogOut(
  app: App,
  parts: () => LogOutParts,
  options: Pick<FlowOptions, 'publicOrigins'>,
): void {
  /** What the application wants. @param sent a query or a form @throws {Refusal} `application-refused` */
  async function read(sent: unknown) {
    const given = Object.fromEntries(
      fields.flatMap((name) => {
        const value = bodyField(sent, name);
        return typeof value === 'string' && value !== '' ? [[name, value]] : [];
      }),
    );
    const { id_token_hint: idTokenHint, client_id: clientId, post_logout_redirect_uri: address, state } = given;
    const provider = await requireProvider(parts());
    const found = await provider.findLogOut({ idTokenHint, clientId, address }).catch((error: unknown) => {
      throw error instanceof Unavailable ? error : new Refusal(applicationRefused);
    });
    const target = found.address === undefined ? undefined : new URL(found.address);
    if (state !== undefined) target?.searchParams.set('state', state);
    return { given, target: target?.href, application: found.client?.clientName };
  }

  const goOn = (request: Request, reply: Reply, target: string | undefined) =>
    target === undefined ? reply.redirect('/auth/login?state=0', 303) : leave(request, reply, target);

  app.get(
    path,
    {
      config: { view: 'oidc/log-out', pageOnly: true, refusals },
      schema: {
        summary: 'Log out, from an application: the page',
        tags: [tag],
        response: { 200: page('A page that asks'), 303: redirect('Back, if the user is not signed in') },
      },
    },
    async (request, reply) => {
      const { given, target, application } = await read(request.query);
      const { cookie } = request.presented;
      const signedIn = await parts().access.findSignedIn({ cookie });
      if (signedIn !== undefined) return { given, application, path };
      return target === undefined ? reply.redirect('/auth/login?state=0', 303) : reply.redirect(target, 303);
    },
  );

  app.post(
    path,
    {
      config: { anySite: true, view: leaveView, pageOnly: true, refusals: [noProvider] },
      schema: {
        summary: 'Log out, from an application, by a form',
        description: 'Leads to the same by GET, because browsers send no cookie with a form of another site.',
        tags: [tag],
        response: { 200: leavePage('A page that leads on') },
      },
    },
    (request, reply) => repeat(request, reply, path, options),
  );

  app.post(
    `${path}/confirm`,
    {
      config: { view: leaveView, pageOnly: true, openedAt: path, takesCredentials: true, refusals },
      schema: {
        summary: 'Log out, from an application',
        tags: [tag],
        response: {
          200: settingCookies(leavePage('A page that leads back to the application')),
          303: settingCookies(redirect('To the login page')),
        },
      },
    },
    async (request, reply) => {
      const { target } = await read(request.body);
      const { cookie } = request.presented;
      await parts()
        .logOut({ cookie }, request.caller)
        .catch((error: unknown) => {
          // Another window has logged out already.
          if (!(error instanceof Refusal)) throw error;
        });
      reply.answerLogOut();
      return goOn(request, reply, target);
    },
  );
}
