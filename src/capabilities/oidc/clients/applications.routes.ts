import { byOwner } from '../../../core/access/access.ts';
import { type Answer, Refusal } from '../../../core/access/refusal.ts';
import type { AuditOf } from '../../../core/audit/audit.ts';
import { placeOf } from '../../../core/ports.ts';
import { addAction } from '../../../web/action.ts';
import { detailAnswer, exampleId } from '../../../web/fields.ts';
import { signedInOf } from '../../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../../web/openapi/responses.ts';
import type { App } from '../../../web/types.ts';
import type { events } from '../events.ts';
import type { Application, Applications } from './applications.ts';
import { pictureText } from './describe-client.ts';
import { aboutClient } from './library-client.ts';
import { applicationsView } from './views.ts';

export interface ApplicationRouteParts {
  readonly applications: Applications;
  readonly audit: AuditOf<typeof events>;
}

const noSuchApplication: Answer = {
  name: 'no-such-application',
  status: 404,
  detail: 'You have let in no application with that id',
};

const page = '/account/applications';

const describe = ({ clientId, name, picture, scopes, since }: Application) => ({
  client_id: clientId,
  name,
  picture: picture ?? null,
  scope: scopes.join(' '),
  since: since.toISOString(),
});

const applicationSchema = object('An application', {
  client_id: text(exampleId),
  name: text('Wiki'),
  picture: orNull(pictureText),
  scope: text('openid email', 'What the user let it have, separated by spaces. Empty where the user was not asked'),
  since: time,
});

/** Adds the page that lists the applications that a user has allowed, and on which the user revokes them. */
export function addApplications(app: App, parts: () => ApplicationRouteParts): void {
  addAction(app, [page, '/api/account/applications'], {
    method: 'GET',
    summary: 'Applications that the user let in',
    tag: 'Account',
    description: 'The latest first.',
    config: { signedIn: true, takesTurn: true, view: applicationsView, refusals: [unreadableList] },
    query: listQuery,
    answer: json(
      'The applications',
      object('The applications', { applications: listOf(applicationSchema), next_cursor: nextCursor }),
      { next_cursor: null },
    ),
    browser: 'The page with the applications',
    async handle({ user, query }) {
      const { limit, after } = readList(query, { keyLength: 2 });
      const found = await parts().applications.list(user, limit + 1, after);
      const { entries, next_cursor } = pageOf(found, limit, placeOf);
      return { applications: entries.map(describe), next_cursor, query };
    },
  });

  addAction(app, [`${page}/revoke`, '/api/account/applications/revoke'], {
    method: 'POST',
    summary: 'Take back what an application may have',
    description: 'Its tokens end, and it has to ask the user again.',
    tag: 'Account',
    config: { signedIn: true, takesTurn: true, openedAt: page, refusals: [noSuchApplication] },
    fields: { client_id: { required: true, maxLength: 255, description: 'Its id', examples: [exampleId] } },
    answer: detailAnswer('Application revoked'),
    browser: 'To the page with the applications',
    async handle(request, reply, { client_id }) {
      const signedIn = signedInOf(request);
      const { applications, audit } = parts();
      const by = byOwner(signedIn, request.caller);
      const revoked = await applications.revoke(signedIn.user, client_id, (db, { clientId, name: clientName }) =>
        audit.recordIn(db, { kind: 'application-revoked', ...aboutClient({ clientId, clientName }), ...by }),
      );
      if (revoked === undefined) throw new Refusal(noSuchApplication);
      return reply.proceed(`${page}?state=revoked`, { detail: 'Application revoked' });
    },
  });
}
