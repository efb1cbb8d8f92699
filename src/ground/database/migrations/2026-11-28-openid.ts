import { sql } from '../kysely.ts';
import type { MigrationStep } from '../migration-step.ts';

/** The provider for other applications: clients, resources, consents, codes and tokens, and the keys that sign. */
export const up: MigrationStep = async ({ recreate }) => {
  await recreate('janua_clients', [], {
    id: sql`varchar(255) primary key`,
    name: sql`varchar(100) not null`,
    secret_hash: sql`varchar(43)`,
    settings: sql`text not null`,
    created_at: sql`bigint not null`,
  });

  await recreate('janua_resources', [], {
    uri: sql`varchar(255) primary key`,
    scopes: sql`text not null`,
    token_format: sql`varchar(8) not null`,
    created_at: sql`bigint not null`,
  });

  await recreate('janua_consents', ['user_id'], {
    id: sql`varchar(43) primary key`,
    user_id: sql`varchar(255) not null`,
    owner: sql`varchar(254) not null`,
    client_id: sql`varchar(255) not null`,
    scope: sql`text not null`,
    version: sql`varchar(43) not null`,
    given_at: sql`bigint not null`,
  });

  await recreate('janua_subjects', ['user_id'], {
    id: sql`varchar(43) primary key`,
    subject: sql`varchar(36) not null unique`,
    user_id: sql`varchar(255) not null`,
    owner: sql`varchar(254) not null`,
  });

  await recreate('janua_oidc_records', ['grant_id', 'lookup', ['user_id', 'client_id'], 'session_id', 'expires_at'], {
    id: sql`varchar(43) primary key`,
    model: sql`varchar(32) not null`,
    payload: sql`text not null`,
    grant_id: sql`varchar(43)`,
    lookup: sql`varchar(43)`,
    user_id: sql`varchar(255)`,
    client_id: sql`varchar(255)`,
    session_id: sql`varchar(22)`,
    stamp: sql`varchar(64)`,
    consumed_at: sql`bigint`,
    polled_at: sql`bigint`,
    created_at: sql`bigint not null`,
    expires_at: sql`bigint not null`,
  });

  await recreate('janua_signing_keys', [], {
    id: sql`varchar(43) primary key`,
    algorithm: sql`varchar(8) not null`,
    private_key: sql`text not null`,
    created_at: sql`bigint not null`,
    retired_at: sql`bigint`,
  });

  await recreate('janua_logout_notices', ['session_id', 'subject', 'due_at', 'expires_at'], {
    id: sql`varchar(43) primary key`,
    session_id: sql`varchar(22) not null`,
    client_id: sql`varchar(255) not null`,
    subject: sql`varchar(36) not null`,
    sid: sql`varchar(64) not null`,
    due_at: sql`bigint`,
    attempts: sql`smallint not null`,
    expires_at: sql`bigint not null`,
  });
};
