import type { Core } from '../../core/core.ts';
import { withOwnCommand } from '../../ground/config/own-command.ts';
import { databasePart } from '../../ground/database/errors.ts';
import { defineCapability } from '../capability.ts';
import { events } from './events.ts';
import { createFindUsers } from './find-users.ts';
import { createOverview } from './overview.ts';
import { createSealedCursors } from './sealed-cursors.ts';

/** The pages for administrators. */
export const admin = defineCapability({
  name: 'admin',
  events,

  async make(core: Core) {
    const { database, users, groupsInColumn, stores, opened, auditTrail, now, checkUp } = core;
    const overview = createOverview({
      database,
      auditTrail,
      countSessions: stores.sessions.count,
      now,
      stores: [
        ...new Map([
          [databasePart, opened.check],
          [stores.sessionsPart, stores.sessions.check],
        ] as const),
      ],
      checkUp,
    });
    const findUsers = createFindUsers(database, users, { groupsInColumn });
    const cursors = createSealedCursors(await core.loadKey('applications'));
    return { parts: { overview, findUsers, cursors }, clean: overview.count };
  },

  async addRoutes(app, parts, options) {
    (await import('./overview.routes.ts')).addOverview(app, parts, withOwnCommand);
    (await import('./users.routes.ts')).addUsers(app, parts, options);
    (await import('./user.routes.ts')).addUser(app, parts, options);
    if (options.features.ownAccounts) {
      (await import('./user-files.routes.ts')).addUserFiles(app, parts, options.features.mail);
      (await import('./imports.routes.ts')).addImports(app, parts);
      if (options.features.mail) (await import('./invite-links.routes.ts')).addInviteLinks(app, parts);
    }
    (await import('./audit.routes.ts')).addAudit(app, parts, options.events);
    (await import('./throttle.routes.ts')).addThrottle(app, parts);
    (await import('./mail.routes.ts')).addMail(app, parts, options.features);
    (await import('./settings.routes.ts')).addSettings(app, parts);
    (await import('./groups.routes.ts')).addGroups(app, parts, options);
  },
});
