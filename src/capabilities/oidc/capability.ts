import type { Core } from '../../core/core.ts';
import { stampOf } from '../../core/users/account.ts';
import type { User } from '../../core/users/user.ts';
import { defineCapability } from '../capability.ts';
import { mayUse } from './clients/library-client.ts';
import { composeOidc } from './composition.ts';
import { events } from './events.ts';
import { pictureAddress } from './pictures/stored-pictures.ts';
import { importedSubjects } from './subjects.ts';

/** OpenID Connect: applications sign their users in with Janua. */
export const oidc = defineCapability({
  name: 'oidc',
  events,

  async make(core: Core) {
    const { settings, ports, access, users, sessions, groups, groupsInColumn, log } = core;
    const { noteEnding, logoutNotices, ...parts } = composeOidc({
      ...core,
      findAccount: users.findById,
      findNamed: users.findCandidate,
      findClaims: core.claims.find,
      findLiving: access.findLiving,
      listSessions: (account) => sessions.listOf(account.user.id, stampOf(account)),
      endSession: ports.endSession,
      key: await core.loadKey('applications'),
      groupNames: async () => (groupsInColumn ? undefined : groups.names()),
      hasSecondFactors: settings.SECOND_FACTOR !== 'off',
      sessionSeconds: Math.max(settings.SESSION_LIFETIME_SECONDS, settings.REMEMBER_LIFETIME_SECONDS),
      documentHosts: settings.CLIENT_ID_METADATA,
      onTokens: core.measures.metrics?.observeTokens,
      privateHosts: settings.OIDC_PRIVATE_HOSTS,
      findSignUpPath: () => ports.signUpPath,
    });
    return {
      parts: {
        ...parts,
        rotateSigningKeys: () => parts.rotateSigningKeys((db) => core.recordKey(db, 'signing')),
        giveSubject: (user: Pick<User, 'id'>, subject: string) =>
          parts.giveSubject(user, subject, { caller: core.caller }),
        /** Administers clients and resources for commands. The audit records the operator as the actor. */
        clientAdministration: parts.administerClients({ caller: core.caller }),
      },
      findApplication: parts.findApplication,
      findMachine: parts.findMachine,
      subjectOf: parts.subjectOf,
      listApplications: parts.applications.list,
      countApplications: parts.applications.count,
      exportDataOf: async (user) => ({ sub: await parts.findSubject(user) }),
      listClients: parts.clients.listNames,
      imports: importedSubjects,
      listOpen: async (user) =>
        (await parts.clients.listNames())
          .filter((client) => mayUse({ clientId: client.id, groups: client.groups }, user))
          .flatMap(({ name, clientUri, picture }) =>
            clientUri === undefined ? [] : [{ name, address: clientUri, picture: pictureAddress(picture) }],
          ),
      onEvent: noteEnding,
      clean: parts.removeOfEnded,
      /**
       * Loads oidc-provider in the background, because that takes longer than the rest of the start. If that fails, the next request tries
       * again.
       */
      start() {
        parts.openProvider().catch((error: unknown) => log.warn({ err: error }, 'the provider could not be started'));
      },
      close: () => logoutNotices.close(),
    };
  },

  async addRoutes(app, parts, options) {
    (await import('./provider/provider.routes.ts')).addProvider(app, parts, options);
    (await import('./sign-in/interaction.routes.ts')).addInteractions(app, parts);
    (await import('./sign-in/device.routes.ts')).addDevices(app, parts);
    (await import('./logout/logout.routes.ts')).addApplicationLogOut(app, parts, options);
    (await import('./clients/clients.routes.ts')).addClients(app, parts, options);
    (await import('./clients/claims.routes.ts')).addClientClaims(app, parts);
    (await import('./pictures/pictures.routes.ts')).addPictures(app, parts);
    (await import('./resources/resources.routes.ts')).addResources(app, parts);
    (await import('./clients/applications.routes.ts')).addApplications(app, parts);
  },
});
