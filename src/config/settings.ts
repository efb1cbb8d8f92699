import { availableParallelism } from 'node:os';
import Type, { type Static } from 'typebox';

const day = 24 * 60 * 60;

const onOff = (options: { default: 'on' | 'off'; description: string }) =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], options);

/**
 * Every setting, once: its environment variable, type, limits, default and meaning.
 * A setting without a default is optional.
 */
export const settingsSchema = Type.Object({
  HOST: Type.String({
    default: '127.0.0.1',
    minLength: 1,
    description: 'Address to listen on.',
  }),
  PORT: Type.Integer({
    default: 5000,
    minimum: 0,
    maximum: 65535,
    description: 'TCP port to listen on; 0 takes a free one.',
  }),
  PUBLIC_URL: Type.Optional(
    Type.String({
      description:
        'Where browsers reach the server, as `https://auth.example.com`. Decides the accepted origin and the kind of cookie. Without it: `http://localhost:PORT`.',
    }),
  ),
  ALLOW_PLAIN_HTTP: onOff({
    default: 'off',
    description: 'Let `PUBLIC_URL` be plain HTTP beyond this machine. Passwords then cross the network in the clear.',
  }),
  DATABASE_URL: Type.String({
    default: 'sqlite:./data/janua.db',
    minLength: 1,
    description: 'Where users and sessions are kept: `sqlite:` and a path.',
  }),
  APP_NAME: Type.String({
    default: 'Janua',
    minLength: 1,
    maxLength: 60,
    description: 'The name in titles and headings.',
  }),
  THEME_FILE: Type.Optional(
    Type.String({
      description:
        'A stylesheet with your colours and logo, in place of `src/http/assets/theme.css`, which explains itself.',
    }),
  ),
  DOCS: onOff({
    default: 'on',
    description: 'Swagger UI at `/docs` and the OpenAPI document at `/openapi.json`.',
  }),
  SESSION_IDLE_SECONDS: Type.Integer({
    default: day,
    minimum: 60,
    maximum: 30 * day,
    description: 'A session ends after this many seconds without a request (ASVS 7.3.1).',
  }),
  SESSION_LIFETIME_SECONDS: Type.Integer({
    default: 7 * day,
    minimum: 60,
    maximum: 30 * day,
    description: 'A session ends this many seconds after its login, used or not (ASVS 7.3.2).',
  }),
  CORS_ORIGINS: Type.Array(Type.String(), {
    default: [],
    description: 'Other origins whose scripts may call the server, separated by commas, as `https://app.example.com`.',
  }),
  HASHING_CONCURRENCY: Type.Integer({
    default: availableParallelism(),
    minimum: 1,
    maximum: 128,
    description: 'Passwords hashed at the same time; each takes 19 MiB while it lasts. Default: one for each core.',
  }),
  HASHING_QUEUE: Type.Integer({
    default: 100,
    minimum: 0,
    maximum: 10_000,
    description: 'Logins that may wait for their hash; beyond it the answer is 503.',
  }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info',
    description: 'How much is logged, as JSON lines on standard output. The demo defaults to `warn`.',
  }),
});

export type Settings = Static<typeof settingsSchema>;
