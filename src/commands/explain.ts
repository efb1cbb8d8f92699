import { explain as explainEvent } from '../core/audit/explanation.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { createFindNames, namesIn } from '../core/users/find-names.ts';
import { withOwnCommand } from '../ground/config/own-command.ts';
import { events } from '../site.ts';
import { administer } from './administer.ts';

export const explain = (requestId: string) =>
  administer('janua explain', async ({ auditTrail, users, registry, ports }) => {
    const found = await auditTrail.findByRequestId(requestId.trim());
    if (found.length === 0)
      throw new ChangeRefused(
        'No decision is recorded under that request id. It may be older than AUDIT_RETENTION_DAYS, or one of very many in a minute ' +
          "(./bin/janua audit --kind events-left-out). Or it needed no decision, such as a form with a field that cannot be accepted: the server's log has every request.",
      );
    const findNames = createFindNames({ users, listClients: ports.listClients });
    const texts = found.map(async (event) => {
      if ('unreadable' in event) return `This version cannot read the event ${event.id} of that request.`;
      const names = await findNames([event.userId, event.actorId]);
      const about = { ...namesIn(names, event), ownTable: registry === undefined };
      const lines = explainEvent(event, events, about);
      return lines
        .map(([heading, text]) => `${heading.padEnd(10)}${heading === 'To do' ? asTyped(text) : text}`)
        .join('\n');
    });
    return (await Promise.all(texts)).join('\n\n');
  });

/** Writes `janua` in the advice as the operator types it on this machine. Pages show the same advice, and do not know the command. */
const asTyped = (advice: string) => withOwnCommand(advice.replaceAll(/\bjanua (?=[a-z])/g, './bin/janua '));
