const day = 24 * 60 * 60;

/** Kinds of settings. @param rest limits, default and examples, in JSON Schema */
const text = <const Rest>(description: string, rest: Rest) => ({ type: 'string', description, ...rest }) as const;
const integer = <const Rest>([minimum, maximum]: readonly [number, number], description: string, rest: Rest) =>
  ({ type: 'integer', minimum, maximum, description, ...rest }) as const;
const choice = <const Values, const Rest>(values: Values, description: string, rest: Rest) =>
  ({ enum: values, description, ...rest }) as const;
const onOff = <const Rest>(description: string, rest: Rest) => choice(['on', 'off'], description, rest);
const list = <const Rest>(description: string, rest: Rest) =>
  ({ type: 'array', items: { type: 'string' }, default: [], description, ...rest }) as const;

/**
 * Every setting, once: its environment variable, type, limits, default and meaning.
 * A setting without a default is optional.
 */
export const settingsSchema = {
  type: 'object',
  properties: {
    HOST: text('Address to listen on.', { default: '127.0.0.1', minLength: 1, examples: ['::1'] }),
    PORT: integer([0, 65535], 'TCP port to listen on; 0 takes a free one.', { default: 5000, examples: [8080] }),
    PUBLIC_URL: text(
      'Where browsers reach the server, as `https://auth.example.com`. Decides the accepted origin and the kind of cookie. Without it: `http://localhost:PORT`.',
      { examples: ['https://auth.example.com'] },
    ),
    ALLOW_PLAIN_HTTP: onOff(
      'Let `HOST` or a plain `PUBLIC_URL` be beyond this machine. Passwords then cross that network in the clear.',
      { default: 'off', examples: ['on'] },
    ),
    DATABASE_URL: text(
      'Where users and sessions are kept: `sqlite:` and a path, or `postgres://`, `mysql://` or `mariadb://` and `USER:PASSWORD@HOST:PORT/DATABASE`.',
      {
        default: 'sqlite:./data/janua.db',
        minLength: 1,
        format: 'password',
        examples: [
          'sqlite:/var/lib/janua/janua.db',
          'postgres://janua:PASSWORD@db.example.com/janua?sslmode=verify-full',
        ],
      },
    ),
    DATABASE_CONNECTIONS: integer([1, 1000], 'Most connections of one process to the database server.', {
      default: 10,
      examples: [20],
    }),
    REDIS_URL: text(
      'Keeps the sessions in Redis or Valkey: `redis://USER:PASSWORD@HOST:PORT`, `rediss` for TLS, `redis+cluster` or `redis+sentinel` for several. Without it they are in the database.',
      {
        format: 'password',
        examples: ['redis://janua:PASSWORD@redis.example.com', 'rediss+cluster://node1.example.com,node2.example.com'],
      },
    ),
    STORE_TIMEOUT_SECONDS: integer(
      [1, 60],
      'Longest that one step of the database or of Redis may take; then the answer is 503.',
      { default: 3, examples: [5] },
    ),
    USERS_TABLE: text("Your own table of users, in place of Janua's. It is never altered.", {
      minLength: 1,
      examples: ['employees'],
    }),
    USERS_COLUMNS: text(
      'Its columns: `id=…,username=…,password=…`, and, where there are such, `first_name=…,last_name=…,disabled=…`.',
      {
        minLength: 1,
        examples: ['id=emp_no,username=email,password=password,first_name=first_name,last_name=last_name'],
      },
    ),
    PASSWORD_REHASH: onOff(
      'Store a password anew, with argon2id, when its owner signs in and the stored hash is weaker. `off` where other programs read the same column.',
      { default: 'on', examples: ['off'] },
    ),
    THROTTLE: choice(
      ['on', 'memory', 'off'],
      'Slow down whoever guesses passwords. `on` counts failures where the sessions are kept, for all processes; `memory` in this process, until it ends, and not with several `WORKERS`; `off` serves measurements, on this machine alone.',
      { default: 'on', examples: ['memory'] },
    ),
    TRUSTED_PROXIES: list(
      'Addresses of your proxies, as `127.0.0.1` or `10.0.0.0/8`, separated by commas. Only what they say in `X-Forwarded-…` counts. In an app that listens on a Unix socket, `unix` stands for every program that may open it.',
      { examples: ['127.0.0.1, 10.0.0.0/8'] },
    ),
    AUDIT_RETENTION_DAYS: integer([1, 3650], 'How long events are kept for `janua audit`.', {
      default: 90,
      examples: [365],
    }),
    APP_NAME: text('The name in titles and headings.', {
      default: 'Janua',
      minLength: 1,
      maxLength: 60,
      examples: ['Example Ltd'],
    }),
    THEME_FILE: text(
      'A stylesheet with your colours and logo, in place of `src/web/assets/theme.css`, which explains itself. A `logo.svg` beside it replaces logo and icon.',
      { examples: ['/etc/janua/theme.css'] },
    ),
    DOCS: onOff('Swagger UI at `/docs` and the OpenAPI document at `/openapi.json`.', {
      default: 'on',
      examples: ['off'],
    }),
    SESSION_IDLE_SECONDS: integer(
      [60, 30 * day],
      'A session ends after this many seconds without a request (ASVS 7.3.1).',
      { default: day, examples: [3600] },
    ),
    SESSION_LIFETIME_SECONDS: integer(
      [60, 30 * day],
      'A session ends this many seconds after its login, used or not (ASVS 7.3.2).',
      { default: 7 * day, examples: [43_200] },
    ),
    SESSIONS_PER_USER: integer(
      [1, 10_000],
      'Sessions that one user may have at the same time; another login ends the oldest (ASVS 7.1.2).',
      { default: 100, examples: [10] },
    ),
    CORS_ORIGINS: list(
      'Other origins whose scripts may call the server, separated by commas, as `https://app.example.com`.',
      { examples: ['https://app.example.com, https://admin.example.com'] },
    ),
    FORWARD_AUTH_ORIGINS: list(
      'Origins of applications that a proxy asks `/auth/verify` about, as `https://app.example.com`, separated by commas. Needs `PUBLIC_URL` and `TRUSTED_PROXIES`.',
      { examples: ['https://app.example.com, https://wiki.example.com'] },
    ),
    HASHING_CONCURRENCY: integer(
      [1, 128],
      'Passwords hashed at the same time, by one process; each takes 19 MiB while it lasts. Without it: one for each core, divided among `WORKERS`.',
      { examples: [4] },
    ),
    HASHING_QUEUE: integer(
      [0, 10_000],
      'Logins that may wait for their hash, in one process. More are answered 503. With 0, a login that cannot begin at once is.',
      { default: 100, examples: [50] },
    ),
    WORKERS: integer(
      [1, 64],
      'Processes of `janua serve` that share the port, best one for each core. With 2 or more, one that ends is replaced, and SIGHUP replaces all without a pause. The demo is one process.',
      { default: 1, examples: [2] },
    ),
    DRAIN_SECONDS: integer(
      [0, 300],
      'After a signal to stop, requests are still taken for this long while `/health/ready` says no, so that a proxy can turn away. The demo defaults to 0.',
      { default: 2, examples: [10] },
    ),
    LOG_LEVEL: choice(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'How much is logged, on standard output. The demo defaults to `warn`. The signal SIGUSR2 switches to `debug`, and back.',
      { default: 'info', examples: ['warn'] },
    ),
    LOG_FORMAT: choice(
      ['json', 'text'],
      'How it is logged: one JSON object a line, or a line to read. Without it: `text` where standard output is a terminal, else `json`.',
      { examples: ['json'] },
    ),
    METRICS_LISTEN: text(
      'Address for Prometheus, which finds figures at `/metrics` there: `HOST:PORT`, or a port of this machine alone, such as `9464`; 0 takes a free one. Without it nothing is measured.',
      { minLength: 1, examples: ['9464', '10.0.0.5:9464'] },
    ),
  },
  additionalProperties: false,
} as const satisfies {
  type: string;
  properties: Readonly<Record<string, SettingSchema>>;
  additionalProperties: boolean;
};

/** Headings for groups of settings. A group begins at the setting named here and ends before the next one. */
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

/** Settings with a default. `load.ts` computes the default of HASHING_CONCURRENCY from another setting. */
type Defaulted =
  | { [Name in keyof Schemas]: Schemas[Name] extends { default: unknown } ? Name : never }[keyof Schemas]
  | 'HASHING_CONCURRENCY';

/** The settings after reading. Every setting with a default has a value. */
export type Settings = { readonly [Name in Defaulted]: ValueOf<Schemas[Name]> } & {
  readonly [Name in Exclude<keyof Schemas, Defaulted>]?: ValueOf<Schemas[Name]>;
};

/** The schema of one setting. */
export interface SettingSchema {
  readonly type?: string;
  readonly items?: { readonly type: string };
  readonly description: string;
  /** `password` if the value may hold one. It may then also come from a file. */
  readonly format?: string;
  readonly default?: unknown;
  /** Written as in the environment, except that numbers are numbers. */
  readonly examples: readonly unknown[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}
