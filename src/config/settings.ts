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
      description: 'Address to listen on.',
    },
    PORT: {
      type: 'integer',
      default: 5000,
      minimum: 0,
      maximum: 65535,
      description: 'TCP port to listen on; 0 takes a free one.',
    },
    PUBLIC_URL: {
      type: 'string',
      description:
        'Where browsers reach the server, as `https://auth.example.com`. Decides the accepted origin and the kind of cookie. Without it: `http://localhost:PORT`.',
    },
    ALLOW_PLAIN_HTTP: {
      enum: ['on', 'off'],
      default: 'off',
      description:
        'Let `HOST` or a plain `PUBLIC_URL` be beyond this machine. Passwords then cross that network in the clear.',
    },
    DATABASE_URL: {
      type: 'string',
      default: 'sqlite:./data/janua.db',
      minLength: 1,
      format: 'password',
      description:
        'Where users and sessions are kept: `sqlite:` and a path, or `postgres://`, `mysql://` or `mariadb://` and `USER:PASSWORD@HOST:PORT/DATABASE`.',
    },
    DATABASE_CONNECTIONS: {
      type: 'integer',
      default: 10,
      minimum: 1,
      maximum: 1000,
      description: 'Most connections of one process to the database server.',
    },
    REDIS_URL: {
      type: 'string',
      format: 'password',
      description:
        'Keeps the sessions in Redis or Valkey: `redis://USER:PASSWORD@HOST:PORT`, `rediss` for TLS, `redis+cluster` or `redis+sentinel` for several. Without it they are in the database.',
    },
    STORE_TIMEOUT_SECONDS: {
      type: 'integer',
      default: 3,
      minimum: 1,
      maximum: 60,
      description: 'Longest that one step of the database or of Redis may take; then the answer is 503.',
    },
    USERS_TABLE: {
      type: 'string',
      minLength: 1,
      description: "Your own table of users, in place of Janua's. It is never altered.",
    },
    USERS_COLUMNS: {
      type: 'string',
      minLength: 1,
      description:
        'Its columns: `id=…,username=…,password=…`, and, where there are such, `first_name=…,last_name=…,disabled=…`.',
    },
    PASSWORD_REHASH: {
      enum: ['on', 'off'],
      default: 'on',
      description:
        'Store a password anew, with argon2id, when its owner signs in and the stored hash is weaker. `off` where other programs read the same column.',
    },
    THROTTLE: {
      enum: ['on', 'memory', 'off'],
      default: 'on',
      description:
        'Slow down whoever guesses passwords. `on` counts failures where the sessions are kept, for all processes; `memory` in this process, until it ends, and not with several `WORKERS`; `off` serves measurements, on this machine alone.',
    },
    TRUSTED_PROXIES: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      description:
        'Addresses of your proxies, as `127.0.0.1` or `10.0.0.0/8`, separated by commas. Only what they say in `X-Forwarded-For` counts.',
    },
    AUDIT_RETENTION_DAYS: {
      type: 'integer',
      default: 90,
      minimum: 1,
      maximum: 3650,
      description: 'How long events are kept for `janua audit`.',
    },
    APP_NAME: {
      type: 'string',
      default: 'Janua',
      minLength: 1,
      maxLength: 60,
      description: 'The name in titles and headings.',
    },
    THEME_FILE: {
      type: 'string',
      description:
        'A stylesheet with your colours and logo, in place of `src/http/assets/theme.css`, which explains itself.',
    },
    DOCS: {
      enum: ['on', 'off'],
      default: 'on',
      description: 'Swagger UI at `/docs` and the OpenAPI document at `/openapi.json`.',
    },
    SESSION_IDLE_SECONDS: {
      type: 'integer',
      default: day,
      minimum: 60,
      maximum: 30 * day,
      description: 'A session ends after this many seconds without a request (ASVS 7.3.1).',
    },
    SESSION_LIFETIME_SECONDS: {
      type: 'integer',
      default: 7 * day,
      minimum: 60,
      maximum: 30 * day,
      description: 'A session ends this many seconds after its login, used or not (ASVS 7.3.2).',
    },
    CORS_ORIGINS: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      description:
        'Other origins whose scripts may call the server, separated by commas, as `https://app.example.com`.',
    },
    HASHING_CONCURRENCY: {
      type: 'integer',
      minimum: 1,
      maximum: 128,
      description:
        'Passwords hashed at the same time, by one process; each takes 19 MiB while it lasts. Without it: one for each core, divided among `WORKERS`.',
    },
    HASHING_QUEUE: {
      type: 'integer',
      default: 100,
      minimum: 0,
      maximum: 10_000,
      description: 'Logins that may wait for their hash, in one process; beyond it the answer is 503.',
    },
    WORKERS: {
      type: 'integer',
      default: 1,
      minimum: 1,
      maximum: 64,
      description:
        'Processes of `janua serve` that share the port, best one for each core. With 2 or more, one that ends is replaced, and SIGHUP replaces all without a pause. The demo is one process.',
    },
    DRAIN_SECONDS: {
      type: 'integer',
      default: 2,
      minimum: 0,
      maximum: 300,
      description:
        'After a signal to stop, requests are still taken for this long while `/health/ready` says no, so that a proxy can turn away. The demo defaults to 0.',
    },
    LOG_LEVEL: {
      enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      default: 'info',
      description:
        'How much is logged, on standard output. The demo defaults to `warn`. The signal SIGUSR2 switches to `debug`, and back.',
    },
    LOG_FORMAT: {
      enum: ['json', 'text'],
      description:
        'How it is logged: one JSON object a line, or a line to read. Without it: `text` where standard output is a terminal, else `json`.',
    },
    METRICS_LISTEN: {
      type: 'string',
      minLength: 1,
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
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}
