import type { Generated, Insertable, Selectable } from 'kysely';

const generated = <Value>(value: Value) => value as unknown as Generated<Value>;

/** 0 or 1, because the databases share no boolean type. */
const flag = generated<number>(0);

/** Milliseconds since 1970. PostgreSQL's client gives a bigint as text. */
const time: number | string = 0 as number | string;

const nullable = <Value>(value: Value): Value | null => value;

/** The keys of each row are columns, its values have their types. A prefix, because a team's tables may be beside ours. */
export const rows = {
  /** Everyone whom Janua knows, under an id that is never given to another person. */
  janua_users: {
    id: '',
    /** The key of the user's row in a team's own table. NULL for an own account, and once the user has left the table. */
    source_key: generated(nullable('')),
    /** When the account left the team's table, which ended it. */
    left_at: generated(nullable(time)),
    /** Of an own account: the name, unique. */
    login_name: generated(nullable('')),
    /** Canonical. Of an account of a team's table: as Janua saw it last, like the names and the state. */
    username: '',
    /** The hash. Empty: the user has none, or it is in the team's table. */
    password: '',
    /** SHA-256 of the team's hash under which personal access tokens count. NULL until Janua has seen it. */
    password_print: generated(nullable('')),
    first_name: '',
    last_name: '',
    disabled: flag,
    demo: flag,
    created_at: time,
    stamp: generated(nullable('')),
    language: generated(nullable('')),
    password_changed_at: generated(nullable(time)),
    /** The groups, and the scopes that they grant, separated by spaces. The same is in `janua_memberships` and `janua_groups`. */
    group_names: generated(nullable('')),
    scopes: generated(nullable('')),
    /** How the account came to its address: NULL by an operator's command; `mail` by a mailed link. `changed` by one with which the user changed the address; `upstream` by a provider that the operator trusts; `none`: nothing proves it. It alone decides `ADMINISTRATORS`. */
    address_proof: generated(nullable('')),
    /** The address that was verified, which counts as long as it is the user's; empty if none was. NULL if a process of an older version inserted the row: `address_proof` then tells. */
    verified_address: generated(nullable('')),
    /** `mail`, `upstream`, `administrator` or `command`. NULL for a mailed link of an older version. */
    verified_how: generated(nullable('')),
    /** The id of the provider or of the administrator, or the account of the operator. */
    verified_by: generated(nullable('')),
    verified_at: generated(nullable(time)),
    /** Counts the changes that locked the row (`core/users/held.ts`). */
    changes: generated(time),
  },
  /** The table and the column from which the keys in `janua_users` came. */
  janua_sources: { name: '', origin: '' },
  janua_sessions: {
    id: '',
    user_id: '',
    password_fingerprint: '',
    cookie_hash: '',
    token_hash: '',
    created_at: time,
    last_seen_at: time,
    expires_at: time,
    /** 0 if a process of an older version inserted the row. */
    authenticated_at: generated(time),
    /** Separated by spaces. */
    methods: generated(''),
    user_agent: generated(''),
    address: generated(''),
    remembered: flag,
    /** What the access token may do, separated by spaces. NULL: all that the user may. */
    token_scope: generated(nullable('')),
  },
  /** Sessions in Redis that have ended, by their ids. */
  janua_ended_sessions: { id: '', user_id: generated(nullable('')), expires_at: time },
  /** Users whose sessions in Redis from before `not_before` have ended, but for one. */
  janua_not_before: { user_id: '', not_before: time, kept_id: nullable(''), expires_at: time },
  janua_keys: { name: '', value: '' },
  /** Work that only one of many processes does. The process that set `expires_at` does it until then. */
  janua_leases: { name: '', expires_at: time },
  /** When something last happened. */
  janua_times: { name: '', at: time },
  /** Failures that the throttle counted. Without `expires_at` they do not expire. */
  janua_failures: { key: '', count: 0, last_at: time, expires_at: nullable(time) },
  /** Events as JSON, with ids in order of time. */
  janua_audit: { id: '', at: time, kind: '', request_id: nullable(''), user_id: nullable(''), event: '' },
  /** One-time tokens by the hash of their secret. */
  janua_tokens: { hash: '', purpose: '', user_id: nullable(''), address: '', stamp: nullable(''), expires_at: time },
  /** Mail to send, with ids in order of time. Without `due_at` it is sent, or given up. */
  janua_mails: {
    id: '',
    purpose: '',
    user_id: nullable(''),
    /** Of the account, when the mail was asked for. A link in the mail counts only under this stamp. */
    stamp: generated(nullable('')),
    address: '',
    /** Used unless the user has chosen one. */
    language: '',
    request_id: nullable(''),
    details: '',
    created_at: time,
    due_at: nullable(time),
    expires_at: time,
    attempts: flag,
    failure: generated(nullable('')),
    /** The sent mail as JSON, in the demo only. */
    content: generated(nullable('')),
    /** 0 if a user who had proved their identity, an operator or the server caused it. */
    stranger: flag,
    /** The user or the network that caused it. NULL if a process of an older version inserted the row. */
    party: generated(nullable('')),
    /** Orders the mails that are due: milliseconds since 1970. NULL while it is not due, and until the sender has seen that it is. */
    turn_at: generated(nullable(time)),
  },
  /** What an account was told of lately, by a hash of its id and the address. Further notices wait until `expires_at`, and become one mail. */
  janua_notices: {
    id: '',
    user_id: '',
    /** JSON: the kinds that have gone out at once. */
    kinds: '',
    /** The mail that waits for the end. */
    mail_id: generated(nullable('')),
    expires_at: time,
    /** Counts the changes that locked the row. */
    changes: generated(time),
  },
  /** Passkeys by a hash of the credential's id. */
  janua_passkeys: {
    id: '',
    user_id: '',
    credential_id: '',
    /** COSE, base64url. */
    public_key: '',
    /** Derived from a key of the server, the same for all passkeys of a user. */
    user_handle: '',
    counter: time,
    /** Whether the authenticator may copy the key to other devices. It never changes. */
    syncable: 0,
    /** Whether it has done so. */
    synced: 0,
    /** Separated by spaces. */
    transports: '',
    aaguid: '',
    name: '',
    created_at: time,
    last_used_at: nullable(time),
  },
  /** Users who did not want one when they were asked. Null: they are not asked again. */
  janua_passkey_offers: { user_id: '', again_at: nullable(time) },
  /** Secrets of authenticator apps, encrypted. */
  janua_totp: {
    id: '',
    user_id: '',
    secret: '',
    /** The step of the last accepted code. No step up to it is accepted again. */
    last_step: time,
    created_at: time,
    last_used_at: nullable(time),
  },
  janua_recovery_codes: { hash: '', user_id: '' },
  /** By a hash of their secret, like pending logins. */
  janua_trusted_browsers: {
    id: '',
    user_id: '',
    stamp: '',
    user_agent: '',
    trusted_at: time,
    expires_at: time,
  },
  /** Logins that wait for a second factor. They are no sessions. */
  janua_pending_logins: {
    id: '',
    user_id: '',
    stamp: '',
    methods: '',
    remembered: 0,
    failures: flag,
    expires_at: time,
    token_scope: generated(nullable('')),
  },
  janua_groups: {
    name: '',
    description: '',
    scopes: '',
    /** Of `admins`: counts the changes that locked all groups (`core/users/groups.ts`). */
    changes: generated(time),
    /** Whether its users need a second factor. */
    second_factor: generated(0),
  },
  /** Prefixes by which an administrator finds a user: the address, the names, and the last name, in lower case. `kind` tells which. */
  janua_search: { id: '', kind: 0, word: '', user_id: '' },
  /** When each user logged in last. */
  janua_logins: { user_id: '', at: time },
  /** What happened in an hour, which begins at `hour`: events by name, counted from the audit. */
  janua_counts: { id: '', hour: time, name: '', count: time },
  janua_memberships: { id: '', group_name: '', user_id: '', username: '' },
  /** Personal access tokens. */
  janua_access_tokens: {
    id: '',
    user_id: '',
    hash: '',
    name: '',
    scope: '',
    created_at: time,
    expires_at: time,
    last_used_at: generated(nullable(time)),
    last_used_address: generated(nullable('')),
  },
  /** Applications that sign their users in here. */
  janua_clients: {
    id: '',
    name: '',
    /** SHA-256, base64url. NULL for a public client. */
    secret_hash: nullable(''),
    /** JSON: redirect addresses, groups, and what else is set. */
    settings: '',
    created_at: time,
  },
  /** Servers that accept our access tokens (RFC 8707). */
  janua_resources: {
    uri: '',
    scopes: '',
    token_format: '',
    /** Of signed tokens. */
    alg: generated(''),
    /** The id and the SHA-256 (base64url) of the secret by which it asks about tokens. NULL if it has none. */
    client_id: generated(nullable('')),
    secret_hash: generated(nullable('')),
    created_at: time,
  },
  /** What users let applications have. */
  janua_consents: {
    id: '',
    user_id: '',
    client_id: '',
    scope: '',
    /** Of the application, as the user saw it. */
    version: '',
    given_at: time,
  },
  /** What applications know users by. */
  janua_subjects: { id: '', subject: '', user_id: '' },
  /** What the provider keeps: codes, tokens, grants. The key is a hash of the secret, and so are `grant_id` and `lookup`. */
  janua_oidc_records: {
    id: '',
    model: '',
    payload: '',
    grant_id: nullable(''),
    lookup: nullable(''),
    user_id: nullable(''),
    client_id: nullable(''),
    session_id: nullable(''),
    /** Of the account, when the user let the application act without the session. */
    stamp: nullable(''),
    consumed_at: nullable(time),
    polled_at: nullable(time),
    /** Its party while it waits for its user: the network that a device asked from, or the user of a sign-in. */
    party: generated(nullable('')),
    created_at: time,
    expires_at: time,
  },
  /** Private keys as JWK, encrypted. */
  janua_signing_keys: { id: '', algorithm: '', private_key: '', created_at: time, retired_at: nullable(time) },
  /** Applications that expect a notice when a session ends. `due_at` is set once the session has ended. */
  janua_logout_notices: {
    id: '',
    session_id: '',
    client_id: '',
    subject: '',
    sid: '',
    due_at: nullable(time),
    attempts: 0,
    expires_at: time,
  },
  /** Users of other providers, by a hash of issuer and subject. */
  janua_identities: {
    id: '',
    /** The id of the provider in the settings. */
    upstream: '',
    issuer: '',
    subject: '',
    user_id: '',
    /** The name of the user there, as the user saw it at the linking. */
    name: '',
    linked_at: time,
    last_used_at: nullable(time),
  },
  janua_migrations: { name: '', timestamp: '' },
};

export type Tables = typeof rows;
export type Row<Name extends keyof Tables> = Selectable<Tables[Name]>;
export type NewRow<Name extends keyof Tables> = Insertable<Tables[Name]>;
export type UsersTable = Tables['janua_users'];
export type SessionsTable = Tables['janua_sessions'];
export type FailuresTable = Tables['janua_failures'];
export type AuditTable = Tables['janua_audit'];
export type TokensTable = Tables['janua_tokens'];
export type MailsTable = Tables['janua_mails'];
export type AccessTokensTable = Tables['janua_access_tokens'];
export type PasskeysTable = Tables['janua_passkeys'];

export const accountColumns = [
  'source_key',
  'login_name',
  'username',
  'password',
  'password_print',
  'first_name',
  'last_name',
  'disabled',
  'demo',
  'stamp',
  'language',
  'group_names',
  'scopes',
  'address_proof',
  'verified_address',
] as const satisfies readonly (keyof UsersTable)[];

export const sessionColumns = Object.keys(rows.janua_sessions) as (keyof SessionsTable)[];
