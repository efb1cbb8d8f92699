import { notAuthenticated } from '../../core/access/access.ts';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import { leave, leavePage, leaveView } from '../../web/leave.ts';
import { redirect, settingCookies } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { forwardPath, type ReturnQuery, withTicket } from './returns.ts';
import type { ForwardAuthOptions, ForwardAuthParts } from './verify.routes.ts';

const text = (description: string, example: string) => ({
  type: 'string',
  maxLength: 2048,
  description,
  examples: [example],
});

const querySchema = {
  type: 'object',
  required: ['to', 'state', 'signature'],
  properties: {
    to: text('The address that the user requested', 'https://app.example.com/'),
    state: text('SHA-256 of the random text that the browser keeps for that host', 'kFQ1…'),
    signature: text('Proves that a proxy asked about the address', 'Zw3y…'),
  },
};

const invalidReturn: Answer = {
  name: 'invalid-return',
  status: 400,
  detail: 'This link leads nowhere, or no longer. Please open the application again',
};

/** Redirects to another host with a ticket that signs the browser in there. A browser without a session goes to the login page first. */
export function addForward(app: App, parts: () => ForwardAuthParts, { returns }: ForwardAuthOptions): void {
  app.get(
    forwardPath,
    {
      config: { signedIn: true, view: leaveView, pageOnly: true, refusals: [invalidReturn] },
      schema: {
        summary: 'Back to another application',
        description: '`/auth/verify` redirects a browser here to sign the user in on another host.',
        tags: ['Forward authentication'],
        querystring: querySchema,
        response: {
          200: leavePage('A page that leads to the application, after the login form'),
          303: settingCookies(redirect('To the application, or to the login page if the user is not signed in')),
        },
      },
    },
    async (request, reply) => {
      const query = request.query as ReturnQuery;
      const destination = returns.find(query);
      if (destination === undefined) throw new Refusal(invalidReturn);
      // Only a browser with a session gets a ticket. A program could otherwise exchange its access token for the cookie of another host.
      const signedIn = request.presented.accessToken === undefined ? request.signedIn : undefined;
      const ticket = signedIn && parts().hosts?.createTicket(destination, signedIn.session);
      if (ticket === undefined) throw new Refusal(notAuthenticated);
      const target = withTicket(String(query.to), ticket);
      return leave(request, reply, target);
    },
  );
}
