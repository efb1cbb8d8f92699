/** The names of the contenders in tables and pictures. */
export const names = {
  sqlite: 'Janua, SQLite',
  redis: 'Janua, Redis + SQLite',
  postgres: 'Janua, Redis + PostgreSQL',
  postgresAlone: 'Janua, PostgreSQL',
  express: 'express-session + passport, Redis',
  betterAuth: 'better-auth, node:sqlite',
  bare: 'bare Fastify route',
  argon2: 'argon2 alone',
  logging: 'Janua, SQLite, LOG_LEVEL=info',
  ownRoute: 'better-auth, getSession in a custom route',
  cookieCache: 'better-auth with its cookie cache',
  scrypt: 'better-auth with its default scrypt',
} as const;

export type Name = (typeof names)[keyof typeof names];
