const day = 24 * 60 * 60;

/**
 * Every setting, once: its environment variable, type, limits, default and meaning.
 * A setting without a default is optional.
 */
export const settingsSchema = {
  type: 'object',
  properties: {
    HOST: {
      type: 'string',
      default: '127.0.0.1',
      minLength: 1,
      examples: ['::1'],
      description: 'Address to listen on.',
    },
    PORT: {
      type: 'integer',
      default: 5000,
      minimum: 0,
      maximum: 65535,
      examples: [8080],
      description: 'TCP port to listen on; 0 takes a free one.',
    },
    PUBLIC_URL: {
      type: 'string',
      examples: ['https://auth.example.com'],
      description:
        'Where browsers reach the server, as `https://auth.example.com`. Decides the accepted origin and the kind of cookie. Without it: `http://localhost:PORT`.',
    },
    ALLOW_PLAIN_HTTP: {
      enum: ['on', 'off'],
      default: 'off',
      examples: ['on'],
      description:
        'Let `HOST` or a plain `PUBLIC_URL` be beyond this machine. Passwords then cross that network in the clear.',
    },
    DATABASE_URL: {
      type: 'string',
      default: 'sqlite:./data/janua.db',
      minLength: 1,
      format: 'password',
      examples: [
        'sqlite:/var/lib/janua/janua.db',
        'postgres://janua:PASSWORD@db.example.com/janua?sslmode=verify-full',
      ],
      description:
        'Where users and sessions are kept: `sqlite:` and a path, or `postgres://`, `mysql://` or `mariadb://` and `USER:PASSWORD@HOST:PORT/DATABASE`.',
    },
    DATABASE_CONNECTIONS: {
      type: 'integer',
      default: 10,
      minimum: 1,
      maximum: 1000,
      examples: [20],
      description: 'Most connections of one process to the database server.',
    },
    REDIS_URL: {
      type: 'string',
      format: 'password',
      examples: ['redis://janua:PASSWORD@redis.example.com', 'rediss+cluster://node1.example.com,node2.example.com'],
      description:
        'Keeps the sessions in Redis or Valkey: `redis://USER:PASSWORD@HOST:PORT`, `rediss` for TLS, `redis+cluster` or `redis+sentinel` for several. Without it they are in the database.',
    },
    STORE_TIMEOUT_SECONDS: {
      type: 'integer',
      default: 3,
      minimum: 1,
      maximum: 60,
      examples: [5],
      description: 'Longest that one step of the database or of Redis may take; then the answer is 503.',
    },
    USERS_TABLE: {
      type: 'string',
      minLength: 1,
      examples: ['employees'],
      description: "Your own table of users, in place of Janua's. It is never altered.",
    },
    USERS_COLUMNS: {
      type: 'string',
      minLength: 1,
      examples: ['id=emp_no,username=email,password=password,first_name=first_name,last_name=last_name'],
      description:
        'Its columns: `id=…,username=…,password=…`, and, where there are such, `first_name=…,last_name=…,disabled=…`.',
    },
    PASSWORD_REHASH: {
      enum: ['on', 'off'],
      default: 'on',
      examples: ['off'],
      description:
        'Store a password anew, with argon2id, when its owner signs in and the stored hash is weaker. `off` where other programs read the same column.',
    },
    THROTTLE: {
      enum: ['on', 'memory', 'off'],
      default: 'on',
      examples: ['memory'],
      description:
        'Slow down whoever guesses passwords. `on` counts failures where the sessions are kept, for all processes; `memory` in this process, until it ends, and not with several `WORKERS`; `off` serves measurements, on this machine alone.',
    },
    TRUSTED_PROXIES: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      examples: ['127.0.0.1, 10.0.0.0/8'],
      description:
        'Addresses of your proxies, as `127.0.0.1` or `10.0.0.0/8`, separated by commas. Only what they say in `X-Forwarded-…` counts. In an app that listens on a Unix socket, `unix` stands for every program that may open it.',
    },
    AUDIT_RETENTION_DAYS: {
      type: 'integer',
      default: 90,
      minimum: 1,
      maximum: 3650,
      examples: [365],
      description: 'How long events are kept for `janua audit`.',
    },
    APP_NAME: {
      type: 'string',
      default: 'Janua',
      minLength: 1,
      maxLength: 60,
      examples: ['Example Ltd'],
      description: 'The name in titles and headings.',
    },
    THEME_FILE: {
      type: 'string',
      examples: ['/etc/janua/theme.css'],
      description:
        'A stylesheet with your colours and logo, in place of `src/web/assets/theme.css`, which explains itself.',
    },
    DOCS: {
      enum: ['on', 'off'],
      default: 'on',
      examples: ['off'],
      description: 'Swagger UI at `/docs` and the OpenAPI document at `/openapi.json`.',
    },
    SESSION_IDLE_SECONDS: {
      type: 'integer',
      default: day,
      minimum: 60,
      maximum: 30 * day,
      examples: [3600],
      description: 'A session ends after this many seconds without a request (ASVS 7.3.1).',
    },
    SESSION_LIFETIME_SECONDS: {
      type: 'integer',
      default: 7 * day,
      minimum: 60,
      maximum: 30 * day,
      examples: [43_200],
      description: 'A session ends this many seconds after its login, used or not (ASVS 7.3.2).',
    },
    SESSIONS_PER_USER: {
      type: 'integer',
      default: 100,
      minimum: 1,
      maximum: 10_000,
      examples: [10],
      description: 'Sessions that one user may have at the same time; another login ends the oldest (ASVS 7.1.2).',
    },
    CORS_ORIGINS: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      examples: ['https://app.example.com, https://admin.example.com'],
      description:
        'Other origins whose scripts may call the server, separated by commas, as `https://app.example.com`.',
    },
    FORWARD_AUTH_ORIGINS: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      examples: ['https://app.example.com, https://wiki.example.com'],
      description:
        'Origins of applications that a proxy asks `/auth/verify` about, as `https://app.example.com`, separated by commas. Needs `PUBLIC_URL` and `TRUSTED_PROXIES`.',
    },
    HASHING_CONCURRENCY: {
      type: 'integer',
      minimum: 1,
      maximum: 128,
      examples: [4],
      description:
        'Passwords hashed at the same time, by one process; each takes 19 MiB while it lasts. Without it: one for each core, divided among `WORKERS`.',
    },
    HASHING_QUEUE: {
      type: 'integer',
      default: 100,
      minimum: 0,
      maximum: 10_000,
      examples: [50],
      description: 'Logins that may wait for their hash, in one process; beyond it the answer is 503.',
    },
    WORKERS: {
      type: 'integer',
      default: 1,
      minimum: 1,
      maximum: 64,
      examples: [2],
      description:
        'Processes of `janua serve` that share the port, best one for each core. With 2 or more, one that ends is replaced, and SIGHUP replaces all without a pause. The demo is one process.',
    },
    DRAIN_SECONDS: {
      type: 'integer',
      default: 2,
      minimum: 0,
      maximum: 300,
      examples: [10],
      description:
        'After a signal to stop, requests are still taken for this long while `/health/ready` says no, so that a proxy can turn away. The demo defaults to 0.',
    },
    LOG_LEVEL: {
      enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      default: 'info',
      examples: ['warn'],
      description:
        'How much is logged, on standard output. The demo defaults to `warn`. The signal SIGUSR2 switches to `debug`, and back.',
    },
    LOG_FORMAT: {
      enum: ['json', 'text'],
      examples: ['json'],
      description:
        'How it is logged: one JSON object a line, or a line to read. Without it: `text` where standard output is a terminal, else `json`.',
    },
    METRICS_LISTEN: {
      type: 'string',
      minLength: 1,
      examples: ['9464', '10.0.0.5:9464'],
      description:
        'Address for Prometheus, which finds figures at `/metrics` there: `HOST:PORT`, or a port of this machine alone, such as `9464`; 0 takes a free one. Without it nothing is measured.',
    },
  },
  additionalProperties: false,
} as const satisfies {
  type: string;
  properties: Readonly<Record<string, SettingSchema>>;
  additionalProperties: boolean;
};

/** What the settings from this one on are about, up to the next that is named here. */
export const settingGroups: Partial<Record<keyof Settings, string>> = {
  HOST: 'Listening',
  DATABASE_URL: 'Stores',
  USERS_TABLE: 'Users of your own',
  THROTTLE: 'Guessing, and what is kept of it',
  APP_NAME: 'Pages',
  SESSION_IDLE_SECONDS: 'Sessions',
  CORS_ORIGINS: 'Other origins',
  HASHING_CONCURRENCY: 'Hashing',
  WORKERS: 'Running',
};

type Schemas = (typeof settingsSchema)['properties'];

type ValueOf<Schema> = Schema extends { enum: readonly (infer Value)[] }
  ? Value
  : Schema extends { type: 'integer' }
    ? number
    : Schema extends { type: 'array' }
      ? readonly string[]
      : string;

/** One of them has a default that another setting decides (`load.ts`). */
type Defaulted =
  | { [Name in keyof Schemas]: Schemas[Name] extends { default: unknown } ? Name : never }[keyof Schemas]
  | 'HASHING_CONCURRENCY';

/** The settings as they are after reading: all have a value, but for those without a default. */
export type Settings = { readonly [Name in Defaulted]: ValueOf<Schemas[Name]> } & {
  readonly [Name in Exclude<keyof Schemas, Defaulted>]?: ValueOf<Schemas[Name]>;
};

/** What the schema of any one setting may say. */
export interface SettingSchema {
  readonly type?: string;
  readonly items?: { readonly type: string };
  readonly description: string;
  /** `password` where it may carry one: then it may also be read from a file. */
  readonly format?: string;
  readonly default?: unknown;
  /** Each as it would stand in the environment, but for numbers. */
  readonly examples: readonly unknown[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}
