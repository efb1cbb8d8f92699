import { languages } from '../languages/languages.ts';

const day = 24 * 60 * 60;

/** Creates a function for settings of one kind. It takes the limits, the default and examples in JSON Schema, and then the description. */
const kind =
  <const Base>(base: Base) =>
  <const Rest>(rest: Rest) =>
  (description: string) =>
    ({ ...base, description, ...rest }) as const;
const text = kind({ type: 'string', minLength: 1 });
const integer = kind({ type: 'integer' });
const choice = kind({});
const onOff = <const Usual extends 'on' | 'off'>(usual: Usual) => choice({ enum: ['on', 'off'], default: usual });
const list = kind({ type: 'array', items: { type: 'string' }, default: [] });

/** Every setting with its environment variable, type, limits, default and meaning. A setting without a default is optional. */
export const settingSchemas = {
  HOST: text({ default: '127.0.0.1', examples: ['::1'] })(
    'Address to listen on. With one that other machines reach, such as `0.0.0.0` in a container, the server answers `TRUSTED_PROXIES` alone, and everyone at `/health`.',
  ),
  PORT: integer({ minimum: 0, maximum: 65535, default: 5000 })('TCP port to listen on; 0 takes a free one.'),
  PUBLIC_URL: text({ examples: ['https://auth.example.com'] })(
    'Where browsers reach the server, such as `https://auth.example.com`. Decides the accepted origin and the kind of cookie. Without it: `http://localhost:PORT`.',
  ),
  ALLOW_PLAIN_HTTP: onOff('off')(
    'Allows a plain http `PUBLIC_URL` beyond this machine, and with a `HOST` beyond this machine any peer, not only `TRUSTED_PROXIES`. Passwords then cross that network in the clear.',
  ),
  DATABASE_URL: text({
    default: 'sqlite:./data/janua.db',
    format: 'password',
    examples: ['sqlite:/var/lib/janua/janua.db', 'postgres://janua:PASSWORD@db.example.com/janua?sslmode=verify-full'],
  })(
    'Where users and sessions are stored: `sqlite:` and a path, or `postgres://`, `mysql://` or `mariadb://` and `USER:PASSWORD@HOST:PORT/DATABASE`. PostgreSQL may have several, `HOST1:PORT,HOST2:PORT`: Janua uses the one that accepts writes.',
  ),
  DATABASE_CONNECTIONS: integer({ minimum: 1, maximum: 1000, default: 10 })(
    'Maximum number of connections of one process to the database server.',
  ),
  REDIS_URL: text({
    format: 'password',
    examples: ['redis://janua:PASSWORD@redis.example.com', 'rediss+cluster://node1.example.com,node2.example.com'],
  })(
    'Stores the sessions in Redis or Valkey: `redis://USER:PASSWORD@HOST:PORT`, `rediss` for TLS, `redis+cluster` or `redis+sentinel` for several servers. Without it, sessions are in the database.',
  ),
  STORE_TIMEOUT_SECONDS: integer({ minimum: 1, maximum: 60, default: 3 })(
    'Maximum time for one step of the database or of Redis. After that, the response is 503.',
  ),
  USERS_TABLE: text({
    examples: ['employees'],
  })("Your own table of users, in place of Janua's. Janua never changes the table's structure."),
  USERS_COLUMNS: text({
    examples: ['id=emp_no,username=email,password=password,first_name=first_name,last_name=last_name'],
  })(
    'The columns of your table: `id=…,username=…,password=…`, and, if the table has them, `first_name=…,last_name=…,disabled=…,groups=…`.',
  ),
  USERS_ID: choice({ enum: ['reusable', 'permanent'], default: 'reusable' })(
    'With `permanent`, your program never gives an id to another person: a new name in `USERS_TABLE` is then the same user. With `reusable`, an id with another name counts as another person.',
  ),
  USERS_SYNC_HOURS: integer({ minimum: 0, maximum: 168, default: 24 })(
    'How often the accounts are brought in line with `USERS_TABLE`, in hours. Lists then show users who have never signed in, and the accounts of users who have left the table end. `0`: only by `janua users sync`.',
  ),
  PASSWORD_REHASH: onOff('on')(
    'Replaces a weaker password hash with argon2id when its user signs in. Set it to `off` if other programs read the same column. With `USERS_TABLE` and `off`, users can neither change nor reset their passwords.',
  ),
  THROTTLE: onOff('on')(
    'Slows down attackers who guess passwords. `on` counts failures in the store of the sessions, for all processes. `off` is for measurements, on this machine alone.',
  ),
  TRUSTED_PROXIES: list({ examples: ['127.0.0.1, 10.0.0.0/8'] })(
    'Addresses of your proxies, such as `127.0.0.1` or `10.0.0.0/8`, separated by commas. Janua trusts `X-Forwarded-…` only from these. In an app that listens on a Unix socket, `unix` stands for every program that may open the socket.',
  ),
  AUDIT_RETENTION_DAYS: integer({ minimum: 1, maximum: 3650, default: 90 })(
    'How long events are kept for `janua audit`.',
  ),
  SIGN_UP: onOff('off')(
    'Whether anyone may create an account. Needs `MAIL_URL`, and no `USERS_TABLE`. The demo defaults to `on`.',
  ),
  SIGN_UP_DOMAINS: list({ examples: ['example.com, example.org'] })(
    'Domains of the addresses that may create an account, such as `example.com`, separated by commas. Without it: any.',
  ),
  HANDLES: choice({ enum: ['administrators', 'users'], default: 'administrators' })(
    'Who gives users a handle, a short second name to sign in with: administrators alone, or users too, who choose one once.',
  ),
  ADMINISTRATORS: list({ examples: ['ann@example.com'] })(
    'Addresses of users, separated by commas. While an address is listed here, its user is in the group `admins`. An address counts if `janua users add` added the user, or if the account began with a link that was mailed to it. Not with `USERS_TABLE`: there, use `janua users groups`.',
  ),
  SCOPES: list({ examples: ['reports:read, reports:write'] })(
    "Scopes of your applications, which groups can grant besides Janua's own, separated by commas.",
  ),
  BREACHED_PASSWORDS: choice({ enum: ['list', 'hibp', 'off'], default: 'list' })(
    'Refuses new passwords that are common or known from breaches: by the `list` that comes with Janua, or also by asking the service Pwned Passwords (`hibp`), which gets the first five characters of a hash.',
  ),
  REAUTHENTICATION_SECONDS: integer({ minimum: 60, maximum: day, default: 600 })(
    'Changes of how users sign in, the export and the deletion of the account, and most changes by administrators need a new proof of identity if the last one is older than this many seconds (ASVS 7.5.1).',
  ),
  SECOND_FACTOR: choice({ enum: ['optional', 'required', 'off'], default: 'optional' })(
    'Whether users may add a second factor, or must. With `required`, a user without one enrols after the password and a link in a mail. `off` ignores the factors of all users, and leaves out their pages and routes.',
  ),
  TRUSTED_BROWSER_DAYS: integer({ minimum: 0, maximum: 365, default: 30 })(
    'For how many days a trusted browser needs no second factor. 0 offers no trust.',
  ),
  PASSKEY_DOMAIN: text({ examples: ['example.com'] })(
    'The domain that passkeys belong to: the host of `PUBLIC_URL`, or a parent domain of it. If it changes, every passkey is lost. Without it: the host of `PUBLIC_URL`.',
  ),
  PASSKEY_APPS: list({
    examples: ['A1B2C3D4E5.com.example.app', `com.example.app=${Array.from({ length: 32 }, () => 'AB').join(':')}`],
  })(
    'Mobile applications of yours that may use the passkeys of the domain: for iOS the team and the bundle, `TEAM.BUNDLE`; for Android `PACKAGE=` and the SHA-256 fingerprint of the certificate that signs it.',
  ),
  ENCRYPTION_KEY_FILE: text({ examples: ['/var/lib/janua/encryption.key'] })(
    'The file with the key that encrypts secrets of authenticator apps, and the keys that sign for applications. Janua makes it when it is first needed. Without it, with SQLite: a file beside the database. Keep it apart from backups of the database.',
  ),
  LOGIN_NOTICES: onOff('on')('Mails users about a login from a browser that they have not used before.'),
  MAIL_URL: text({ format: 'password', examples: ['smtp://janua:PASSWORD@mail.example.com:587'] })(
    'The mail server: `smtp://USER:PASSWORD@HOST:PORT` or `smtps://`. With `smtp`, STARTTLS is required unless the host is this machine. Without it, everything that needs mail is left out.',
  ),
  MAIL_FROM: text({
    maxLength: 254,
    examples: ['Example Ltd <no-reply@example.com>'],
  })('The sender of mail, such as `Example <no-reply@example.com>`. Required with `MAIL_URL`.'),
  SECURITY_CONTACT: text({ maxLength: 254, examples: ['mailto:security@example.com'] })(
    'Where to report vulnerabilities of your server, `mailto:` and an address or the `https` address of a page. `/.well-known/security.txt` says it. Without it, there is no such file.',
  ),
  OPERATOR_MAIL: text({ maxLength: 254, examples: ['operator@example.com'] })(
    'Your address. Janua mails you when sending mail failed for an hour, a user becomes an administrator, a backup is missing, events of the audit were lost, or a key cannot be read: at most one mail a day of each kind, but one of each new administrator. Needs `MAIL_URL`.',
  ),
  LANGUAGE: choice({ enum: languages, default: 'en' })(
    'The language of pages and mails for users who have not chosen one, if their browser asks for none of these.',
  ),
  APP_NAME: text({ default: 'Janua', maxLength: 60, examples: ['Example Ltd'] })('The name in titles and headings.'),
  THEME_FILE: text({ examples: ['/etc/janua/theme.css'] })(
    'A stylesheet with your colours and logo, in place of `src/web/assets/theme.css`, whose comments explain it. A `logo.svg` in the same folder replaces logo and icon.',
  ),
  DOCS: onOff('on')('Swagger UI at `/docs` and the OpenAPI document at `/openapi.json`.'),
  SESSION_IDLE_SECONDS: integer({ minimum: 60, maximum: 30 * day, default: day })(
    'A session ends after this many seconds without a request (ASVS 7.3.1).',
  ),
  SESSION_LIFETIME_SECONDS: integer({ minimum: 60, maximum: 30 * day, default: 7 * day })(
    'A session ends this many seconds after its login, even if it is in use (ASVS 7.3.2).',
  ),
  REMEMBER_IDLE_SECONDS: integer({ minimum: 60, maximum: 400 * day, default: 30 * day })(
    'The same as `SESSION_IDLE_SECONDS`, for users who chose to stay signed in.',
  ),
  REMEMBER_LIFETIME_SECONDS: integer({ minimum: 60, maximum: 400 * day, default: 180 * day })(
    'The same as `SESSION_LIFETIME_SECONDS`, for users who chose to stay signed in.',
  ),
  SESSIONS_PER_USER: integer({ minimum: 1, maximum: 10_000, default: 100 })(
    'Maximum number of sessions of one user. Another login ends the oldest one (ASVS 7.1.2).',
  ),
  CORS_ORIGINS: list({ examples: ['https://app.example.com, https://admin.example.com'] })(
    'Other origins whose scripts may call the server, separated by commas, such as `https://app.example.com`.',
  ),
  FORWARD_AUTH_ORIGINS: list({ examples: ['https://app.example.com, https://wiki.example.com'] })(
    'Origins of the applications for which a proxy asks `/auth/verify`, such as `https://app.example.com`, separated by commas. Needs `PUBLIC_URL` and `TRUSTED_PROXIES`.',
  ),
  FORWARD_AUTH_RULES: list({ examples: ['https://wiki.example.com=staff, https://app.example.com/admin=admins|ops'] })(
    'Which groups may open an application, or a path of it: `ORIGIN=GROUP` or `ORIGIN/PATH=GROUP|GROUP`, separated by commas. The longest path decides. Without a rule, every user may. `machines` in place of a group lets programs in, `basic` beside a group those that speak HTTP Basic.',
  ),
  FORWARD_AUTH_HEADERS: list({
    examples: ['https://wiki.example.com Remote-Department=claim:department, https://wiki.example.com Remote-Id=id'],
  })(
    'Further headers about the user for an application: `ORIGIN Remote-NAME=SOURCE`, separated by commas. The source is `address`, `handle`, `id`, `name`, `groups`, `groups:GROUP|GROUP=NAME`, `claim:NAME` or `constant:TEXT`, as in the table of a client (docs/openid/claims.md).',
  ),
  CLIENT_ID_METADATA: list({ examples: ['claude.ai, vscode.dev', 'any'] })(
    'Which applications may introduce themselves by a document at the address that is their `client_id`, as those of MCP do: hosts of such addresses, separated by commas, or `any`. Without it: none.',
  ),
  OIDC_PRIVATE_HOSTS: list({ examples: ['grafana.example.internal'] })(
    'Hosts in your own network that Janua may call for an application: to tell it about a logout, and to get its document or keys. Janua finds these as all programs of the machine do. It asks name servers for other hosts, without `/etc/hosts` and search domains, and calls their public addresses alone.',
  ),
  APPLY_FILE: text({ examples: ['/etc/janua/janua.yaml'] })(
    'A file with groups, clients, resources and users, which `janua serve` applies before it listens (docs/apply.md). Removes something only if the file says `prune: true`.',
  ),
  UPSTREAMS_FILE: text({ examples: ['/etc/janua/upstreams.json'] })(
    'A JSON file with the providers that users can sign in with, such as Google or another OpenID provider, in the order of their buttons (docs/upstream.md).',
  ),
  HASHING_CONCURRENCY: integer({ minimum: 1, maximum: 128 })(
    'Number of passwords that one process hashes at the same time. Each hash takes 19 MiB. Without it: one for each core, divided among `WORKERS`.',
  ),
  HASHING_QUEUE: integer({ minimum: 0, maximum: 10_000, default: 100 })(
    'Number of logins and new passwords that may wait for their hash in one process. Further ones get 503. With 0, each that cannot begin at once gets 503.',
  ),
  WORKERS: integer({ minimum: 1, maximum: 64, default: 1 })(
    'Number of processes of `janua serve` that share the port, ideally one for each core. With 2 or more, the server replaces a process that ends, and SIGHUP replaces all without a pause. The demo is one process.',
  ),
  DRAIN_SECONDS: integer({ minimum: 0, maximum: 300, default: 2 })(
    'After a signal to stop, the server still takes requests for this long while `/health/ready` answers 503, so that proxies can stop sending requests. The demo defaults to 0.',
  ),
  LOG_LEVEL: choice({ enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], default: 'info' })(
    'How much the server logs, on standard output. The demo defaults to `warn`.',
  ),
  LOG_FORMAT: choice({ enum: ['json', 'text'] })(
    'Format of the log: one JSON object a line, or text for people. Without it: `text` if standard output is a terminal, else `json`.',
  ),
  METRICS_LISTEN: text({ examples: ['9464', '10.0.0.5:9464'] })(
    'Address at which Prometheus finds the metrics, under `/metrics`: `HOST:PORT`, or a port of this machine alone, such as `9464`; 0 takes a free one. A request must name an address, a name without a dot, or HOST. Without it, nothing is measured.',
  ),
} as const satisfies Readonly<Record<string, SettingSchema>>;

/** Headings for groups of settings. A group begins at the setting named here and ends before the next one. */
export const settingGroups: Partial<Record<keyof Settings, string>> = {
  HOST: 'Listening',
  DATABASE_URL: 'Stores',
  USERS_TABLE: 'Your own users',
  THROTTLE: 'Throttle, proxies and audit',
  SIGN_UP: 'Accounts',
  MAIL_URL: 'Mail',
  LANGUAGE: 'Pages',
  SESSION_IDLE_SECONDS: 'Sessions',
  CORS_ORIGINS: 'Other origins',
  CLIENT_ID_METADATA: 'OpenID Connect',
  HASHING_CONCURRENCY: 'Hashing',
  WORKERS: 'Running',
};

type Schemas = typeof settingSchemas;

type ValueOf<Schema> = Schema extends { enum: readonly (infer Value)[] }
  ? Value
  : Schema extends { type: 'integer' }
    ? number
    : Schema extends { type: 'array' }
      ? readonly string[]
      : string;

/** The settings with a default. `load.ts` computes the default of HASHING_CONCURRENCY from another setting. */
type Defaulted =
  | { [Name in keyof Schemas]: Schemas[Name] extends { default: unknown } ? Name : never }[keyof Schemas]
  | 'HASHING_CONCURRENCY';

export type Settings = { readonly [Name in Defaulted]: ValueOf<Schemas[Name]> } & {
  readonly [Name in Exclude<keyof Schemas, Defaulted>]?: ValueOf<Schemas[Name]>;
};

export interface SettingSchema {
  readonly type?: string;
  readonly description: string;
  /** `password` if the value may contain one. The value may then also come from a file. */
  readonly format?: string;
  readonly default?: unknown;
  /** Examples, spelled as in the environment. Numbers and choices need no examples. */
  readonly examples?: readonly string[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}
