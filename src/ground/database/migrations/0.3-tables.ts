import { sql } from '../kysely.ts';
import type { MigrationStep, TableChanges } from '../migration-step.ts';

const text = (length: number) => sql`varchar(${sql.lit(length)})`;
const key = (length: number) => sql`varchar(${sql.lit(length)}) primary key`;
const given = (length: number) => sql`varchar(${sql.lit(length)}) not null`;
const longText = sql`text`;
const givenText = sql`text not null`;
const time = sql`bigint`;
const givenTime = sql`bigint not null`;
const flag = sql`integer default 0 not null`;
const counter = sql`bigint default 0 not null`;

/** 255 characters, because a user's id may be the key of a row in a team's own table. */
const user = given(255);

/** A separate function, because on MySQL, migrations take a lease before the first step (`migrateInTurn`). */
export const createLeases = ({ create }: TableChanges) =>
  create('janua_leases', { name: key(40), expires_at: givenTime });

export const createUsers = ({ create }: TableChanges) =>
  create('janua_users', {
    id: key(255),
    source_key: sql`varchar(255) unique`,
    left_at: time,
    login_name: sql`varchar(254) unique`,
    username: given(254),
    password: given(512),
    password_print: text(43),
    first_name: given(100),
    last_name: given(100),
    disabled: flag,
    demo: flag,
    created_at: givenTime,
    stamp: text(43),
    language: text(8),
    password_changed_at: time,
    group_names: longText,
    scopes: longText,
    address_proof: text(8),
    verified_address: text(254),
    verified_how: text(16),
    verified_by: text(255),
    verified_at: time,
    changes: counter,
  });

async function createSessions({ create, addIndexes }: TableChanges): Promise<void> {
  await create('janua_sessions', {
    id: key(22),
    user_id: user,
    password_fingerprint: given(43),
    cookie_hash: given(43),
    token_hash: given(43),
    created_at: givenTime,
    last_seen_at: givenTime,
    expires_at: givenTime,
    authenticated_at: counter,
    methods: sql`varchar(60) default 'pwd' not null`,
    user_agent: sql`varchar(200) default '' not null`,
    address: sql`varchar(64) default '' not null`,
    remembered: flag,
    token_scope: longText,
  });
  await addIndexes('janua_sessions', ['user_id'], ['expires_at']);

  await create('janua_ended_sessions', { id: key(22), expires_at: givenTime, user_id: text(255) });
  await addIndexes('janua_ended_sessions', ['expires_at'], ['user_id', 'expires_at']);

  await create('janua_not_before', {
    user_id: key(255),
    not_before: givenTime,
    kept_id: text(22),
    expires_at: givenTime,
  });
  await addIndexes('janua_not_before', ['expires_at']);

  await create('janua_pending_logins', {
    // A hash of the secret of the pending login.
    id: key(43),
    user_id: user,
    stamp: given(43),
    methods: given(60),
    remembered: sql`integer not null`,
    failures: flag,
    expires_at: givenTime,
    token_scope: longText,
  });
  await addIndexes('janua_pending_logins', ['user_id'], ['expires_at']);

  await create('janua_logins', { user_id: key(255), at: givenTime });

  await create('janua_access_tokens', {
    id: key(22),
    user_id: user,
    hash: given(43),
    name: given(100),
    scope: givenText,
    created_at: givenTime,
    expires_at: givenTime,
    last_used_at: time,
    last_used_address: text(64),
  });
  await addIndexes('janua_access_tokens', ['user_id'], ['expires_at']);
}

async function createMail({ create, addIndexes }: TableChanges): Promise<void> {
  await create('janua_tokens', {
    hash: key(43),
    purpose: given(40),
    user_id: text(255),
    address: given(254),
    stamp: text(43),
    expires_at: givenTime,
  });
  await addIndexes('janua_tokens', ['user_id'], ['expires_at']);

  await create('janua_mails', {
    id: key(36),
    purpose: given(40),
    user_id: text(255),
    address: given(254),
    language: given(8),
    request_id: text(64),
    details: givenText,
    created_at: givenTime,
    due_at: time,
    expires_at: givenTime,
    attempts: flag,
    failure: text(200),
    content: longText,
    stranger: sql`integer default 1 not null`,
    party: text(260),
    turn_at: time,
    stamp: text(43),
  });
  await addIndexes(
    'janua_mails',
    ['due_at'],
    ['expires_at'],
    ['turn_at', 'due_at', 'id'],
    ['stranger', 'turn_at', 'id'],
    ['party', 'turn_at'],
    ['stranger', 'due_at'],
    ['party', 'due_at'],
    ['address', 'stranger', 'due_at'],
  );

  await create('janua_notices', {
    id: key(43),
    user_id: user,
    kinds: givenText,
    mail_id: text(36),
    expires_at: givenTime,
    changes: counter,
  });
  await addIndexes('janua_notices', ['user_id'], ['mail_id'], ['expires_at']);
}

async function createFactors({ create, addIndexes }: TableChanges): Promise<void> {
  await create('janua_passkeys', {
    // A hash of the credential's id, which may have 1,023 bytes.
    id: key(43),
    user_id: user,
    credential_id: givenText,
    public_key: givenText,
    user_handle: given(86),
    counter: givenTime,
    syncable: sql`integer not null`,
    synced: sql`integer not null`,
    transports: given(100),
    aaguid: given(36),
    name: given(100),
    created_at: givenTime,
    last_used_at: time,
  });
  await addIndexes('janua_passkeys', ['user_id']);

  await create('janua_passkey_offers', { user_id: key(255), again_at: time });

  await create('janua_totp', {
    // `active:` or `waiting:`, and the user's id. An older app may still be in use while a new one waits for its first code.
    id: key(270),
    user_id: user,
    secret: given(200),
    last_step: givenTime,
    created_at: givenTime,
    last_used_at: time,
  });
  await addIndexes('janua_totp', ['user_id']);

  await create('janua_recovery_codes', { hash: key(43), user_id: user });
  await addIndexes('janua_recovery_codes', ['user_id']);

  await create('janua_trusted_browsers', {
    // A hash of the secret of the browser.
    id: key(43),
    user_id: user,
    stamp: given(43),
    user_agent: given(200),
    trusted_at: givenTime,
    expires_at: givenTime,
  });
  await addIndexes('janua_trusted_browsers', ['user_id'], ['expires_at']);

  await create('janua_identities', {
    id: key(43),
    upstream: given(32),
    issuer: given(255),
    subject: given(255),
    user_id: user,
    name: given(254),
    linked_at: givenTime,
    last_used_at: time,
  });
  await addIndexes('janua_identities', ['user_id']);
}

async function createAdministration({ create, addIndexes, exact, fill }: TableChanges): Promise<void> {
  await create('janua_groups', {
    name: key(63),
    description: given(200),
    scopes: givenText,
    changes: counter,
    second_factor: flag,
  });
  await fill(
    'janua_groups',
    ['name', 'description', 'scopes'],
    sql`select 'admins', 'Administrators of Janua', '' where not exists (select 1 from janua_groups)`,
  );

  await create('janua_memberships', { id: key(320), group_name: given(63), user_id: user, username: given(254) });
  await addIndexes('janua_memberships', ['user_id'], ['group_name', 'username']);

  await create('janua_search', {
    id: key(257),
    kind: sql`smallint not null`,
    word: sql`${exact(203)} not null`,
    user_id: user,
  });
  await addIndexes('janua_search', ['user_id'], ['kind', 'word', 'user_id']);

  // The ids of events are in order of time, so time needs no index.
  await create('janua_audit', {
    id: key(36),
    at: givenTime,
    kind: given(40),
    request_id: text(64),
    user_id: text(255),
    event: givenText,
  });
  // The indexes by user and by kind increase the time of writing an event in SQLite from 0.1 to 0.2 ms.
  await addIndexes('janua_audit', ['request_id'], ['user_id', 'id'], ['kind', 'id']);

  await create('janua_counts', { id: key(60), hour: givenTime, name: given(40), count: givenTime });
}

async function createServer(tables: TableChanges): Promise<void> {
  const { create, addIndexes, exact, fill } = tables;
  await createLeases(tables);
  await create('janua_keys', { name: key(40), value: given(100) });
  await create('janua_times', { name: key(64), at: givenTime });
  await create('janua_sources', { name: key(40), origin: given(255) });
  // Notes that ids may be reused: in version 0.2, a team's own table could give an id to another person.
  await fill(
    'janua_sources',
    ['name', 'origin'],
    sql`select 'users-id', 'reusable' from janua_users where source_key is not null
      and not exists (select 1 from janua_sources) limit 1`,
  );
  await create('janua_failures', {
    // The key contains a user's id of up to 255 characters, and a prefix. With the type `exact`, PostgreSQL finds all keys of a user by
    // their beginning.
    key: sql`${exact(400)} primary key`,
    count: sql`integer not null`,
    last_at: givenTime,
    expires_at: time,
  });
  await addIndexes('janua_failures', ['expires_at']);
}

async function createProvider({ create, addIndexes }: TableChanges): Promise<void> {
  await create('janua_clients', {
    id: key(255),
    name: given(100),
    secret_hash: text(43),
    settings: givenText,
    created_at: givenTime,
  });

  await create('janua_resources', {
    uri: key(255),
    scopes: givenText,
    token_format: given(8),
    created_at: givenTime,
    alg: sql`varchar(8) default 'ES256' not null`,
    client_id: text(22),
    secret_hash: text(43),
  });
  await addIndexes('janua_resources', ['client_id']);

  await create('janua_consents', {
    id: key(43),
    user_id: user,
    client_id: given(255),
    scope: givenText,
    version: given(43),
    given_at: givenTime,
  });
  await addIndexes('janua_consents', ['user_id'], ['client_id']);

  await create('janua_subjects', { id: key(43), subject: sql`varchar(36) not null unique`, user_id: user });
  await addIndexes('janua_subjects', ['user_id']);

  await create('janua_oidc_records', {
    id: key(43),
    model: given(32),
    payload: givenText,
    grant_id: text(43),
    lookup: text(43),
    user_id: text(255),
    client_id: text(255),
    session_id: text(22),
    stamp: text(64),
    consumed_at: time,
    polled_at: time,
    created_at: givenTime,
    expires_at: givenTime,
    party: text(64),
  });
  await addIndexes(
    'janua_oidc_records',
    ['grant_id'],
    ['lookup'],
    ['user_id', 'client_id'],
    ['session_id'],
    ['expires_at'],
    ['model', 'party'],
    ['client_id'],
    ['grant_id', 'model', 'created_at'],
  );

  await create('janua_signing_keys', {
    id: key(43),
    algorithm: given(8),
    private_key: givenText,
    created_at: givenTime,
    retired_at: time,
  });

  await create('janua_logout_notices', {
    id: key(43),
    session_id: given(22),
    client_id: given(255),
    subject: given(36),
    sid: given(64),
    due_at: time,
    attempts: sql`smallint not null`,
    expires_at: givenTime,
  });
  await addIndexes(
    'janua_logout_notices',
    ['session_id'],
    ['subject'],
    ['due_at'],
    ['expires_at'],
    ['due_at', 'session_id'],
    ['client_id', 'due_at'],
    ['subject', 'client_id', 'due_at'],
  );
}

/** Creates all tables. After an upgrade from version 0.2, it creates only those that are missing. */
export const up: MigrationStep = async (tables) => {
  await createUsers(tables);
  await tables.addIndexes(
    'janua_users',
    ['username', 'id'],
    ['created_at', 'id'],
    ['disabled', 'username'],
    ['left_at'],
  );
  await createSessions(tables);
  await createMail(tables);
  await createFactors(tables);
  await createAdministration(tables);
  await createServer(tables);
  await createProvider(tables);
};
