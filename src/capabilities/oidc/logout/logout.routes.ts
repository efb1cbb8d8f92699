import type { Access } from '../../../core/access/access.ts';
import { Refusal } from '../../../core/access/refusal.ts';
import type { Caller } from '../../../core/audit/event.ts';
import type { SignInPort } from '../../../core/ports.ts';
import { bodyField } from '../../../web/body-field.ts';
import type { FlowOptions } from '../../../web/flow-options.ts';
import { comesFromUs } from '../../../web/hooks/cross-site.ts';
import { leave } from '../../../web/leave.ts';
import { page, redirect, settingCookies } from '../../../web/openapi/responses.ts';
import type { App, Reply, Request } from '../../../web/types.ts';
import type { Answer, Shown } from '../../../web/view.ts';
import { displayName } from '../clients/library-client.ts';
import type { OidcParts } from '../composition.ts';
import { boundedOnly } from '../provider/bounded-request.ts';
import type { AskedLogOut, LogOutFault } from '../provider/logout-request.ts';
import { boundRefusals, type ProviderParts, requireProvider, tag } from '../provider/provider.routes.ts';
import type { OpenIdProvider } from '../provider/provider.ts';
import { applicationRefused, noProvider } from '../refusals.ts';
import { logOutView } from './log-out-page.ts';

export interface LogOutParts extends ProviderParts, Pick<OidcParts, 'applicationLogOut' | 'noteRefusal'> {
  readonly access: Access;
  readonly ports: Pick<SignInPort, 'logOut'>;
}

const path = '/oidc/logout';
const confirmPath = `${path}/confirm`;
const view = logOutView;
const fields = ['id_token_hint', 'client_id', 'post_logout_redirect_uri', 'state'] as const;

type Given = Readonly<Partial<Record<(typeof fields)[number], string>>>;

/** The text that is recorded for each fault, with the parameter names of the protocol. */
const faults: Readonly<Record<LogOutFault, string>> = {
  'logout-hint': 'id_token_hint is not valid, or not for client_id',
  'unknown-client': 'client not found',
  'logout-address': 'post_logout_redirect_uri not registered',
};

/** @param sent a query or a form */
function readGiven(sent: unknown): Given {
  const given = fields.flatMap((name) => {
    const value = bodyField(sent, name);
    return typeof value === 'string' && value !== '' && value.isWellFormed() ? [[name, value]] : [];
  });
  return Object.fromEntries(given);
}

/**
 * Tells whether a program sent the request. A program may end the session of its ID token without a page, but a prefetch of a browser must
 * end nothing. Browsers send all headers of Fetch Metadata, Node's `fetch` only `Sec-Fetch-Mode`.
 */
const isProgram = ({ method, headers }: Request): boolean =>
  method !== 'HEAD' &&
  headers.cookie === undefined &&
  headers.origin === undefined &&
  headers.purpose === undefined &&
  Object.entries(headers).every(
    ([name, value]) => !name.startsWith('sec-') || (name === 'sec-fetch-mode' && value === 'cors'),
  );

/** Returns the address to which the browser returns, with the `state` of the application. */
function targetOf({ address }: AskedLogOut, { state }: Given): string | undefined {
  if (address === undefined) return undefined;
  const target = new URL(address);
  if (state !== undefined) target.searchParams.set('state', state);
  return target.href;
}

function createSteps(parts: () => LogOutParts) {
  async function read(sent: unknown, caller: Caller) {
    const given = readGiven(sent);
    const { id_token_hint: idTokenHint, client_id: clientId, post_logout_redirect_uri: address } = given;
    const provider = await requireProvider(parts());
    return { provider, given, asked: await provider.readLogOut({ idTokenHint, clientId, address, caller }) };
  }

  type Read = Awaited<ReturnType<typeof read>>;

  const findSignedIn = ({ presented: { cookie } }: Request) => parts().access.findSignedIn({ cookie });

  /** Records the fault. The pages show only the id of the request, by which the operator finds it. */
  async function note(request: Request, { asked, given }: Read, reason: LogOutFault): Promise<void> {
    await parts().noteRefusal({
      request: { signedIn: await findSignedIn(request), caller: request.caller },
      clientId: asked.client?.clientId,
      clientName: asked.client?.clientName,
      error: 'invalid_request',
      detail: faults[reason],
      parameters: given,
      reason,
    });
  }

  const describe = (request: Request, { asked, given }: Read) => {
    const application = asked.client && displayName(asked.client);
    return { given, application, path, request_id: asked.fault && request.id };
  };

  /** Answers a browser or program without a session: leads it back to the application, or says that the user is logged out. */
  function goOn(request: Request, reply: Reply, read: Read): Answer<typeof logOutView> | Reply {
    const { asked, given } = read;
    if (asked.fault !== undefined) {
      reply.code(400);
      return { ...describe(request, read), isOver: true };
    }
    const target = targetOf(asked, given);
    return target === undefined ? reply.redirect('/auth/login?state=0', 303) : leave(request, reply, target);
  }

  async function ask(request: Request, reply: Reply, read: Read, account: string) {
    if (read.asked.fault !== undefined) reply.code(400);
    return { ...describe(request, read), account, action: confirmPath };
  }

  async function endNamed(request: Request, { provider, asked, given }: Read): Promise<void> {
    if (given.id_token_hint === undefined) return;
    if (await parts().applicationLogOut.endSessionOfToken(provider, asked, request.caller)) return;
    // The program gets an error, because it must not believe that the session has ended.
    if (asked.fault === undefined) await note(request, { provider, asked, given }, 'logout-hint');
    throw new Refusal(applicationRefused);
  }

  async function answer(request: Request, reply: Reply, sent: unknown): Shown<typeof logOutView> {
    const found = await read(sent, request.caller);
    const { provider, asked } = found;
    if (asked.fault !== undefined) await note(request, found, asked.fault);
    if (isProgram(request)) {
      await endNamed(request, found);
      return goOn(request, reply, found);
    }
    const signedIn = await findSignedIn(request);
    if (signedIn === undefined) return goOn(request, reply, found);
    return mayEnd(provider, asked, signedIn)
      ? { ...describe(request, found), action: confirmPath, goesOn: true }
      : ask(request, reply, found, signedIn.user.username);
  }

  /** Tells whether the session may end without a question to the user. */
  const mayEnd = (provider: OpenIdProvider, asked: AskedLogOut, { session }: { session: { id: string } }) =>
    asked.fault === undefined && parts().applicationLogOut.mayEndWithoutQuestion(provider, asked, session);

  /** Handles the form that the user has submitted, or that the page has submitted by itself. */
  async function confirm(request: Request, reply: Reply): Shown<typeof logOutView> {
    const found = await read(request.body, request.caller);
    const signedIn = await findSignedIn(request);
    // The user has logged out in another window already.
    if (signedIn === undefined) return goOn(request, reply, found);
    // The page that goes on by itself has not asked the user, and another user may have logged in since.
    const wasAsked = bodyField(request.body, 'asked') === 'yes';
    if (!wasAsked && !mayEnd(found.provider, found.asked, signedIn))
      return ask(request, reply, found, signedIn.user.username);
    const { cookie } = request.presented;
    const hasEnded = await parts()
      .ports.logOut({ cookie }, request.caller)
      .then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof Refusal)) throw error;
          return false;
        },
      );
    if (hasEnded) reply.answerLogOut();
    // If the request has a fault, the page has said that it does not lead back to the application.
    return found.asked.fault === undefined ? goOn(request, reply, found) : reply.redirect('/auth/login?state=0', 303);
  }

  return { answer, confirm };
}

/** Adds the logout that an application begins (OpenID Connect RP-Initiated Logout 1.0). */
export function addApplicationLogOut(
  app: App,
  parts: () => LogOutParts,
  { publicOrigins }: Pick<FlowOptions, 'publicOrigins'>,
): void {
  const { answer, confirm } = createSteps(parts);
  const refusals = [noProvider, applicationRefused, ...boundRefusals];
  const responses = {
    200: page('A page that asks, or goes on by itself if the ID token is of this session'),
    303: redirect('Back, if there is no session here'),
    400: page('A page that asks, or says that the user is logged out. It does not lead back: the request is not right'),
  };

  app.get(
    path,
    {
      ...boundedOnly,
      config: { view, pageOnly: true, takesCredentials: 'optional', refusals },
      schema: {
        summary: 'Log out, from an application',
        description:
          'A program that sends a valid `id_token_hint`, and no cookie, ends the session of that ID token, and no other.',
        tags: [tag],
        response: responses,
      },
    },
    (request, reply) => answer(request, reply, request.query),
  );

  app.post(
    path,
    {
      ...boundedOnly,
      config: { anySite: true, view, pageOnly: true, takesCredentials: 'optional', refusals },
      schema: {
        summary: 'Log out, from an application, by a form',
        description:
          'A page repeats the form of another site, because browsers send no cookie with it. The ID token gets into no address.',
        tags: [tag],
        response: responses,
      },
    },
    async (request, reply): Shown<typeof logOutView> => {
      if (comesFromUs(request, publicOrigins)) return answer(request, reply, request.body);
      return { given: readGiven(request.body), path, action: path, goesOn: true };
    },
  );

  app.post(
    confirmPath,
    {
      ...boundedOnly,
      config: { view, pageOnly: true, openedAt: path, takesCredentials: true, refusals },
      schema: {
        summary: 'Log out, from an application: the answer of the user',
        tags: [tag],
        response: {
          200: settingCookies(page('A page that leads back to the application')),
          303: settingCookies(redirect('To the login page')),
        },
      },
    },
    confirm,
  );
}
