import { explain as explainEvent } from '../audit/explanation.ts';
import { events } from '../site.ts';
import { ChangeRefused } from '../users/administration.ts';
import { administer } from './administer.ts';

/** Explains the decision about a request. @param requestId as the refused user reports it */
export const explain = (requestId: string) =>
  administer('janua explain', async (_administration, { auditTrail, users, registry }) => {
    const found = await auditTrail.findByRequestId(requestId.trim());
    if (found.length === 0)
      throw new ChangeRefused(
        'No decision is recorded under that request id. It may be older than AUDIT_RETENTION_DAYS, one of very many in a minute ' +
          '(janua audit --kind events-left-out), or no decision: the log of the server has every request.',
      );
    const texts: string[] = [];
    for (const event of found) {
      if ('unreadable' in event) {
        texts.push(`The event ${event.id} of that request cannot be read by this version.`);
        continue;
      }
      const account = event.userId === undefined ? undefined : await users.findById(event.userId);
      const lines = explainEvent(event, events, {
        username: account?.user.username,
        ownTable: registry === undefined,
      });
      texts.push(lines.map(([heading, text]) => `${heading.padEnd(10)}${text}`).join('\n'));
    }
    return texts.join('\n\n');
  });
