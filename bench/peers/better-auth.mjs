// Follows better-auth's documentation for Node (better-auth.com/docs): installation, adapters/sqlite (node:sqlite),
// authentication/email-password (argon2 instead of its scrypt), plugins/bearer, concepts/rate-limit (off, like Janua's),
// integrations/express (getSession in a custom route). better-auth reads NODE_ENV itself.
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { hash, verify } from '@node-rs/argon2';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import { bearer } from 'better-auth/plugins';
import { offer } from '../child.ts';
import { cost } from './cost.mjs';

const { PORT, DATABASE_FILE, COOKIE_CACHE, OWN_HASH } = process.env;

const argon2 = {
  hash: (password) => hash(password, cost),
  verify: ({ hash: stored, password }) => verify(stored, password),
};

const isNew = !existsSync(DATABASE_FILE);
const options = {
  baseURL: 'http://localhost',
  database: new DatabaseSync(DATABASE_FILE),
  emailAndPassword: { enabled: true, ...(OWN_HASH === 'on' ? {} : { password: argon2 }) },
  plugins: [bearer()],
  rateLimit: { enabled: false },
  // Longer than the measurement.
  ...(COOKIE_CACHE === 'on' ? { session: { cookieCache: { enabled: true, maxAge: 60 * 60 } } } : {}),
};
if (isNew) await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
const handle = toNodeHandler(auth);

const server = createServer(async (request, response) => {
  if (request.url !== '/me') return handle(request, response);
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  return response.setHeader('Content-Type', 'application/json').end(JSON.stringify(session));
});
server.listen(Number(PORT), '127.0.0.1');

offer({
  async addUsers(usernames, password) {
    for (const email of usernames) await auth.api.signUpEmail({ body: { email, password, name: 'Ann Archer' } });
  },
});
