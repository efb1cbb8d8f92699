import type { OpenDatabase } from '../database/database.ts';
import type { Actor } from '../users/administration.ts';
import type { User } from '../users/user.ts';
import { type ApplicationOptions, createApplications } from './applications.ts';
import { type ClientAdministrationOptions, createClientAdministration } from './client-administration.ts';
import { createClients } from './clients.ts';
import { createConsents } from './consents.ts';
import { createResources } from './resources.ts';

type Given = Pick<ClientAdministrationOptions, 'groupNames' | 'privateHosts' | 'endGrantsOf' | 'audit'> &
  Pick<ApplicationOptions, 'clientsOf' | 'revokeGrants'>;

interface ClientPartsOptions extends Given {
  readonly opened: OpenDatabase;
  /** See `createConsents`. */
  readonly ownerOf: (user: User) => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Clients, resources, and what users let clients have. */
export function createClientParts({ opened, ownerOf, now, ...given }: ClientPartsOptions) {
  const [clients, resources] = [createClients(opened, now), createResources(opened.database, now)];
  const consents = createConsents(opened.database, ownerOf, now);
  const stores = { clients, resources, consents };
  return {
    ...stores,
    applications: createApplications({ ...stores, ...given }),
    administerClients: (actor: Actor) => createClientAdministration({ ...stores, ...given }, actor),
  };
}
