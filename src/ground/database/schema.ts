import type { Generated, Insertable, Selectable } from 'kysely';

const generated = <Value>(value: Value) => value as unknown as Generated<Value>;

/** 0 or 1, because the databases have no common boolean type. Also a counter that begins at 0. */
const flag = generated<number>(0);

/** Milliseconds since 1970. PostgreSQL's client returns a bigint as text. */
const time: number | string = 0 as number | string;

const nullable = <Value>(value: Value): Value | null => value;

/**
 * A sample row of each table. The keys are the columns, and the values have their types. The names of tables have a prefix, because a
 * team's tables may be in the same database.
 */
export const rows = {
  /** All users that Janua knows, under ids that are never given to another person. */
  janua_users: {
    id: '',
    /** The key of the user's row in a team's own table. NULL for an account in Janua's own table, and once the team's row is gone. */
    source_key: generated(nullable('')),
    /** When Janua noticed that the user's row in the team's table was gone. That ended the account. */
    left_at: generated(nullable(time)),
    /** The unique user name of an account in Janua's own table. NULL for other accounts. */
    login_name: generated(nullable('')),
    /**
     * The canonical name. For an account of a team's table, Janua copies this column, the other names and `disabled` from the team's row.
     */
    username: '',
    /** A second name with which the user signs in (`core/users/handles.ts`). NULL for users who have none. */
    handle: generated(nullable('')),
    /** The password hash. Empty if the user has no password, or if the hash is in a team's own table (`USERS_TABLE`). */
    password: '',
    /**
     * SHA-256 of the password hash in the team's table. Personal access tokens are valid only while the team's table has that hash. NULL
     * until Janua has read it.
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
    /**
     * The groups of the user, and in `scopes` the scopes that they grant, each separated by spaces. Copied from `janua_memberships` and
     * `janua_groups`.
     */
    group_names: generated(nullable('')),
    scopes: generated(nullable('')),
    /**
     * How the account got its address. NULL: from an operator's command. `mail`: from a mailed link. `changed`: from a mailed link, with
     * which the user changed the address. `upstream`: from a provider that the operator trusts. `import`, `admin`: from an import or an
     * administrator. `source`: from a team's own table. `none`: without any proof. Only NULL and `mail` count for `ADMINISTRATORS`.
     */
    address_proof: generated(nullable('')),
    /**
     * The verified address. It counts only while the user has this address. Empty if no address was verified. NULL if a process of an older
     * version inserted the row: `address_proof` counts then.
     */
    verified_address: generated(nullable('')),
    /** `mail`, `upstream`, `administrator` or `command`. NULL for a mailed link of an older version. */
    verified_how: generated(nullable('')),
    /** The id of the provider or of the administrator, or the account of the operator. */
    verified_by: generated(nullable('')),
    verified_at: generated(nullable(time)),
    /** The client id of the program that added the user. NULL for users that a person or a command added. */
    added_by: generated(nullable('')),
    /** The import that added the user (`janua_imports`), which may be forgotten. NULL for other users. */
    import_id: generated(nullable('')),
    /** The administrator for whom an imported user awaits an invitation. Empty: an operator. NULL: no invitation is awaited. */
    invite_by: generated(nullable('')),
    /** JSON: the custom claims of the user (`core/users/claims.ts`). NULL for none. */
    claims: generated(nullable('')),
    /** A counter. A transaction locks the row by increasing it (`countChange`). */
    changes: generated(time),
  },
  /** The accounts that have, or had, a handle, by its digest. The row stays when the account is gone. */
  janua_handles: { digest: '', user_id: '' },
  /** Imports of users, the newest of them. Ids are in order of time. Either `actor_id` or `operator` names the actor. */
  janua_imports: {
    id: '',
    /** The name of the file, or empty. */
    label: '',
    actor_id: nullable(''),
    operator: nullable(''),
    /** How many users it added. */
    added: 0,
    /** How many of them were mailed an invitation. NULL for an import of before. */
    invited: generated(nullable(0)),
    created_at: time,
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
  /** Ended sessions, by their ids. Redis contained their records (`core/sessions/lasting-ends.ts`). */
  janua_ended_sessions: { id: '', user_id: generated(nullable('')), expires_at: time },
  /** Users whose sessions in Redis from before `not_before` have ended, except the session `kept_id`. */
  janua_not_before: { user_id: '', not_before: time, kept_id: nullable(''), expires_at: time },
  janua_keys: { name: '', value: '' },
  /** Leases for work that only one process does. The process that set `expires_at` does the work until then. */
  janua_leases: { name: '', expires_at: time },
  /** The time when something last happened, such as a backup. */
  janua_times: { name: '', at: time },
  /** The numbers of failed attempts that the throttle has counted. A row with `expires_at` NULL does not expire. */
  janua_failures: { key: '', count: 0, last_at: time, expires_at: nullable(time) },
  /** Events as JSON. Ids are in order of time. */
  janua_audit: { id: '', at: time, kind: '', request_id: nullable(''), user_id: nullable(''), event: '' },
  /** The tokens of links that work once, by the hash of their secret. */
  janua_tokens: {
    hash: '',
    purpose: '',
    user_id: nullable(''),
    address: '',
    stamp: nullable(''),
    expires_at: time,
    /** The link by which the user joins (`janua_invite_links`). NULL for all other tokens. */
    invite_link_id: generated(nullable('')),
  },
  /** Links by which many users may join, by a hash of their secret. */
  janua_invite_links: {
    id: '',
    hash: '',
    /** The administrator who made the link. Empty for an operator. */
    user_id: '',
    label: '',
    /** The groups of the users who join, separated by spaces. */
    group_names: '',
    /** The domain that addresses must have, or empty. */
    domain: '',
    /** How many users may join, and how many have. */
    uses: 0,
    used: 0,
    created_at: time,
    expires_at: time,
  },
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
    /**
     * 0 if the mail was caused by a user who had proved their identity, by an operator, or by the server. 1 if anyone could have caused it.
     */
    stranger: flag,
    /** The user or the network that caused the mail. NULL if a process of an older version inserted the row. */
    party: generated(nullable('')),
    /** The due mails are sent in the order of this time. NULL until the sender has found the mail due. */
    turn_at: generated(nullable(time)),
  },
  /**
   * Accounts that were recently mailed a notice, by a hash of the account's id and the address. Until `expires_at`, further notices wait,
   * and then become one mail.
   */
  janua_notices: {
    id: '',
    user_id: '',
    /** JSON: the kinds of notices that were mailed without waiting since the row was added. */
    kinds: '',
    /** The id of the mail for the notices that wait. It is sent at `expires_at`. */
    mail_id: generated(nullable('')),
    expires_at: time,
    /** A counter. A transaction locks the row by increasing it. */
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
  /** Trusted browsers, by a hash of their secret. The ids in `janua_pending_logins` are hashes of secrets, too. */
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
    /** A counter in the row of `admins`. A transaction locks all groups by increasing it (`core/users/groups.ts`). */
    changes: generated(time),
    /** Whether members of the group need a second factor. */
    second_factor: generated(0),
    /** JSON: the custom claims of the users of the group. NULL for none. */
    claims: generated(nullable('')),
    /** The name of the file that added the group (`janua apply`). NULL for one that was added otherwise. */
    applied_by: generated(nullable('')),
  },
  /**
   * Texts for the search for users. A search finds the users with a text that begins with the typed one. The texts of a user are the
   * address, the full name, and the last name, in lower case. `kind` tells these apart.
   */
  janua_search: { id: '', kind: 0, word: '', user_id: '' },
  /** The last login of each user. */
  janua_logins: { user_id: '', at: time },
  /** The number of events of each name in the hour that begins at `hour`, counted from the audit log. */
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
    /** The name of the file that added the client (`janua apply`). NULL for one that was added otherwise. */
    applied_by: generated(nullable('')),
  },
  /** The pictures that administrators gave to clients, in base64. The settings of a client have the hash of its picture, too. */
  janua_pictures: { client_id: '', hash: '', data: '' },
  /** Servers that accept our access tokens (RFC 8707). */
  janua_resources: {
    uri: '',
    scopes: '',
    token_format: '',
    /** The signature algorithm of the tokens, if they are signed. */
    alg: generated(''),
    /** The id and the SHA-256 (base64url) of the secret with which the server requests introspection. NULL if it has none. */
    client_id: generated(nullable('')),
    secret_hash: generated(nullable('')),
    created_at: time,
    /** The name of the file that added the resource (`janua apply`). NULL for one that was added otherwise. */
    applied_by: generated(nullable('')),
    /** JSON: the scopes for which it may exchange its tokens, by the addresses of other resources. NULL if there are none. */
    exchanges: generated(nullable('')),
  },
  /** The consents of users to applications. */
  janua_consents: {
    id: '',
    user_id: '',
    client_id: '',
    scope: '',
    /** A hash of the application's name and redirect addresses, as the user saw them. If it changes, Janua asks the user again. */
    version: '',
    given_at: time,
  },
  /** The subjects (`sub`) by which applications know users. */
  janua_subjects: { id: '', subject: '', user_id: '' },
  /**
   * Records of our OpenID provider: codes, tokens, grants. `id`, `grant_id` and `lookup` are hashes, because the codes and tokens
   * themselves are secrets.
   */
  janua_oidc_records: {
    id: '',
    model: '',
    payload: '',
    grant_id: nullable(''),
    lookup: nullable(''),
    user_id: nullable(''),
    client_id: nullable(''),
    session_id: nullable(''),
    /** The account's stamp when the user allowed the application to act after the session has ended. */
    stamp: nullable(''),
    consumed_at: nullable(time),
    polled_at: nullable(time),
    /**
     * The key that limits of records count by. For a program's token: its client. For a sign-in that waits: its user. For a client
     * assertion: the host or the network of the client. For a device code: the network of the device. Device codes have one limit in all,
     * and the network with the most of them loses its oldest first.
     */
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
  /** The files of `janua apply`, by their names, with hashes of the versions that were applied, the latest first. */
  janua_applied_files: { name: '', versions: '' },
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

/** The columns of `janua_users` that each request reads, with one of the next two lists. Further columns would cost time. */
export const accountColumns = [
  'username',
  'handle',
  'disabled',
  'stamp',
  'language',
  'group_names',
  'scopes',
  'address_proof',
  'verified_address',
] as const satisfies readonly (keyof UsersTable)[];

/** The further columns of an account in Janua's own table. */
export const ownAccountColumns = [
  'login_name',
  'password',
  'first_name',
  'last_name',
  'demo',
  'added_by',
] as const satisfies readonly (keyof UsersTable)[];

/** The further columns of an account of a team's own table. The rest is in the team's row. */
export const sourceAccountColumns = ['source_key', 'password_print'] as const satisfies readonly (keyof UsersTable)[];

export const sessionColumns = Object.keys(rows.janua_sessions) as (keyof SessionsTable)[];
