import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/**
 * Second factors by the id of their user. In a team's own table an id may be given to another person, so each row has the user name too:
 * with another name it is void.
 */
export const up: MigrationStep = async ({ recreate }) => {
  await recreate('janua_passkeys', ['user_id'], {
    // A hash of the credential's id, which may have 1,023 bytes.
    id: sql`varchar(43) primary key`,
    user_id: sql`varchar(255) not null`,
    username: sql`varchar(254) not null`,
    credential_id: sql`text not null`,
    public_key: sql`text not null`,
    user_handle: sql`varchar(86) not null`,
    counter: sql`bigint not null`,
    syncable: sql`integer not null`,
    synced: sql`integer not null`,
    transports: sql`varchar(100) not null`,
    aaguid: sql`varchar(36) not null`,
    name: sql`varchar(100) not null`,
    created_at: sql`bigint not null`,
    last_used_at: sql`bigint`,
  });

  await recreate('janua_totp', ['user_id'], {
    // An enrolment that waits for its code has another id than the one in use.
    id: sql`varchar(270) primary key`,
    user_id: sql`varchar(255) not null`,
    username: sql`varchar(254) not null`,
    secret: sql`varchar(200) not null`,
    last_step: sql`bigint not null`,
    created_at: sql`bigint not null`,
    last_used_at: sql`bigint`,
  });

  await recreate('janua_recovery_codes', ['user_id'], {
    hash: sql`varchar(43) primary key`,
    user_id: sql`varchar(255) not null`,
    username: sql`varchar(254) not null`,
  });

  await recreate('janua_trusted_browsers', ['user_id', 'expires_at'], {
    // A hash of its secret.
    id: sql`varchar(43) primary key`,
    user_id: sql`varchar(255) not null`,
    username: sql`varchar(254) not null`,
    stamp: sql`varchar(43) not null`,
    user_agent: sql`varchar(200) not null`,
    trusted_at: sql`bigint not null`,
    expires_at: sql`bigint not null`,
  });

  await recreate('janua_pending_logins', ['user_id', 'expires_at'], {
    // A hash of its secret.
    id: sql`varchar(43) primary key`,
    user_id: sql`varchar(255) not null`,
    stamp: sql`varchar(43) not null`,
    methods: sql`varchar(60) not null`,
    remembered: sql`integer not null`,
    failures: sql`integer default 0 not null`,
    expires_at: sql`bigint not null`,
  });
};
