import type { Generated, Insertable, Selectable } from 'kysely';

const generated = <Value>(value: Value) => value as unknown as Generated<Value>;

/** 0 or 1, because the databases have no common boolean type. */
const flag = generated<number>(0);

/** Milliseconds since 1970. PostgreSQL's client gives a bigint as text. */
const time: number | string = 0 as number | string;

const nullable = <Value>(value: Value): Value | null => value;

/**
 * A sample row of each table. The keys are the columns, and the values have their types. The names have a prefix, because a team's tables
 * may be in the same database.
 */
export const rows = {
  /** All users that Janua knows, under ids that are never given to another person. */
  janua_users: {
    id: '',
    /** The key of the user's row in a team's own table. NULL for an own account, and once that row is gone. */
    source_key: generated(nullable('')),
    /** When the user's row in the team's table was gone, which ended the account. */
    left_at: generated(nullable(time)),
    /** The unique name of an own account. NULL for other accounts. */
    login_name: generated(nullable('')),
    /** The canonical name. For an account of a team's table, Janua's last known state, as are the other names and `disabled`. */
    username: '',
    /** The hash. Empty if the user has no password, or if the hash is in a team's own table (`USERS_TABLE`). */
    password: '',
    /**
     * SHA-256 of the team's hash. Personal access tokens are valid only while the team's table has this hash. NULL until Janua has read it.
     */
    password_print: generated(nullable('')),
    first_name: '',
    last_name: '',
    disabled: flag,
    demo: flag,
    created_at: time,
    stamp: generated(nullable('')),
    language: generated(nullable('')),
    password_changed_at: generated(nullable(time)),
    /** The groups, separated by spaces, as are the scopes that they grant. `janua_memberships` and `janua_groups` contain the same. */
    group_names: generated(nullable('')),
    scopes: generated(nullable('')),
    /**
     * How the account got its address. NULL: from an operator's command. `mail`: from a mailed link. `changed`: from a mailed link, with
     * which the user changed the address. `upstream`: from a provider that the operator trusts. `import`, `admin`: from an import or an
     * administrator. `source`: from a team's own table. `none`: without any proof. Only NULL and `mail` count for `ADMINISTRATORS`.
     */
    address_proof: generated(nullable('')),
    /**
     * The verified address, which counts while it is the user's address. Empty if no address was verified. NULL if a process of an older
     * version inserted the row: `address_proof` counts then.
     */
    verified_address: generated(nullable('')),
    /** `mail`, `upstream`, `administrator` or `command`. NULL for a mailed link of an older version. */
    verified_how: generated(nullable('')),
    /** The id of the provider or of the administrator, or the account of the operator. */
    verified_by: generated(nullable('')),
    verified_at: generated(nullable(time)),
    /** Counts the changes that locked the row (`core/users/held.ts`). */
    changes: generated(time),
  },
  /** The source of a team's accounts: its table, its columns and the kind of its ids (`core/users/source/origin.ts`). */
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
    /** The methods of the login, separated by spaces. */
    methods: generated(''),
    user_agent: generated(''),
    address: generated(''),
    remembered: flag,
    /** The scopes of the access token, separated by spaces. NULL: all scopes of the user. */
    token_scope: generated(nullable('')),
  },
  /** Ended sessions whose records are in Redis, by their ids. */
  janua_ended_sessions: { id: '', user_id: generated(nullable('')), expires_at: time },
  /** Users whose sessions in Redis from before `not_before` have ended, except the session `kept_id`. */
  janua_not_before: { user_id: '', not_before: time, kept_id: nullable(''), expires_at: time },
  janua_keys: { name: '', value: '' },
  /** Leases for work that only one process does. The process that set `expires_at` does the work until then. */
  janua_leases: { name: '', expires_at: time },
  /** The times of the last occurrence of something, such as a backup. */
  janua_times: { name: '', at: time },
  /** Failures that the throttle counted. They do not expire if `expires_at` is NULL. */
  janua_failures: { key: '', count: 0, last_at: time, expires_at: nullable(time) },
  /** Events as JSON. Ids are in order of time. */
  janua_audit: { id: '', at: time, kind: '', request_id: nullable(''), user_id: nullable(''), event: '' },
  /** One-time tokens, by the hash of their secret. */
  janua_tokens: { hash: '', purpose: '', user_id: nullable(''), address: '', stamp: nullable(''), expires_at: time },
  /** Mails to send. Ids are in order of time. `due_at` is NULL once a mail is given up, or is in the demo's mailbox. */
  janua_mails: {
    id: '',
    purpose: '',
    user_id: nullable(''),
    /** The account's stamp when the mail was requested. A link in the mail works only while the account has this stamp. */
    stamp: generated(nullable('')),
    address: '',
    /** The language of the mail, unless the user has chosen another one. */
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
    /** 0 if the mail was caused by a user who had proved their identity, by an operator, or by the server. */
    stranger: flag,
    /** The user or the network that caused the mail. NULL if a process of an older version inserted the row. */
    party: generated(nullable('')),
    /** Milliseconds since 1970 by which the due mails are sorted. NULL until the mail is due and the sender has noticed that. */
    turn_at: generated(nullable(time)),
  },
  /** Recent notices about an account, by a hash of its id and the address. Further notices wait until `expires_at`, and become one mail. */
  janua_notices: {
    id: '',
    user_id: '',
    /** JSON: the kinds of notices that were mailed without waiting, in this window. */
    kinds: '',
    /** The id of the merged mail, which is sent when the window ends. */
    mail_id: generated(nullable('')),
    expires_at: time,
    /** Counts the changes that locked the row. */
    changes: generated(time),
  },
  /** Passkeys, by a hash of the credential's id. */
  janua_passkeys: {
    id: '',
    user_id: '',
    credential_id: '',
    /** The public key as COSE, in base64url. */
    public_key: '',
    /** The user handle, derived from a key of the server. It is the same for all passkeys of a user. */
    user_handle: '',
    counter: time,
    /** Whether the authenticator may copy the key to other devices. It never changes. */
    syncable: 0,
    /** Whether the authenticator has copied the key. */
    synced: 0,
    /** The transports, separated by spaces. */
    transports: '',
    aaguid: '',
    name: '',
    created_at: time,
    last_used_at: nullable(time),
  },
  /** Users who declined the offer of a passkey. If `again_at` is NULL, Janua does not offer it again. */
  janua_passkey_offers: { user_id: '', again_at: nullable(time) },
  /** Secrets of authenticator apps, encrypted. */
  janua_totp: {
    id: '',
    user_id: '',
    secret: '',
    /** The time step of the last accepted code. Codes of this step and of earlier ones are refused. */
    last_step: time,
    created_at: time,
    last_used_at: nullable(time),
  },
  janua_recovery_codes: { hash: '', user_id: '' },
  /** Trusted browsers, by a hash of their secret. The ids of pending logins are such hashes, too. */
  janua_trusted_browsers: {
    id: '',
    user_id: '',
    stamp: '',
    user_agent: '',
    trusted_at: time,
    expires_at: time,
  },
  /** Logins whose second factor is still missing. They are no sessions. */
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
    /** In the row of `admins`: counts the changes that locked all groups (`core/users/groups.ts`). */
    changes: generated(time),
    /** Whether members of the group need a second factor. */
    second_factor: generated(0),
  },
  /**
   * Texts by whose beginnings administrators find a user, in lower case: the address, the names, and the last name. `kind` tells which of
   * these.
   */
  janua_search: { id: '', kind: 0, word: '', user_id: '' },
  /** The last login of each user. */
  janua_logins: { user_id: '', at: time },
  /** Events by name in the hour that begins at `hour`, counted from the audit log. */
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
    /** JSON: the secrets of a client, by their hashes. NULL for a public client. */
    secrets: nullable(''),
    /** JSON: redirect addresses, groups, and the other settings. */
    settings: '',
    created_at: time,
  },
  /** Servers that accept our access tokens (RFC 8707). */
  janua_resources: {
    uri: '',
    scopes: '',
    token_format: '',
    /** The algorithm of signed tokens. */
    alg: generated(''),
    /** The id and the SHA-256 (base64url) of the secret with which the server requests introspection. NULL if it has none. */
    client_id: generated(nullable('')),
    secret_hash: generated(nullable('')),
    created_at: time,
  },
  /** The consents of users to applications. */
  janua_consents: {
    id: '',
    user_id: '',
    client_id: '',
    scope: '',
    /** The version of the application that the user saw. */
    version: '',
    given_at: time,
  },
  /** The subjects by which applications know users. */
  janua_subjects: { id: '', subject: '', user_id: '' },
  /** Records of the provider: codes, tokens, grants. The key is a hash of the secret, and so are `grant_id` and `lookup`. */
  janua_oidc_records: {
    id: '',
    model: '',
    payload: '',
    grant_id: nullable(''),
    lookup: nullable(''),
    user_id: nullable(''),
    client_id: nullable(''),
    session_id: nullable(''),
    /** The account's stamp when the user let the application act without the session. */
    stamp: nullable(''),
    consumed_at: nullable(time),
    polled_at: nullable(time),
    /** While the record waits for its user: the network of the requesting device, or the user of a sign-in. */
    party: generated(nullable('')),
    created_at: time,
    expires_at: time,
  },
  /** Private keys as JWK, encrypted. */
  janua_signing_keys: { id: '', algorithm: '', private_key: '', created_at: time, retired_at: nullable(time) },
  /** Applications to notify when a session ends. `due_at` is set once the session has ended. */
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
    /** The name of the user at the provider, as the user saw it when the accounts were linked. */
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

/** The columns of each account. */
export const accountColumns = [
  'username',
  'disabled',
  'stamp',
  'language',
  'group_names',
  'scopes',
  'address_proof',
  'verified_address',
] as const satisfies readonly (keyof UsersTable)[];

/** The columns of an account that is in no table of the team. */
export const ownAccountColumns = [
  'login_name',
  'password',
  'first_name',
  'last_name',
  'demo',
] as const satisfies readonly (keyof UsersTable)[];

/** The columns of an account beside those that are read from the team's row. */
export const sourceAccountColumns = ['source_key', 'password_print'] as const satisfies readonly (keyof UsersTable)[];

export const sessionColumns = Object.keys(rows.janua_sessions) as (keyof SessionsTable)[];
