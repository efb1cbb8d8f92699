// Sessions as in most Express applications. It follows the documentation of its parts:
//   expressjs.com/en/advanced/best-practice-performance.html and best-practice-security.html (NODE_ENV=production, no
//   X-Powered-By, a custom cookie name, a store other than memory), but without the recommended Helmet
//   npmjs.com/package/connect-redis (resave and saveUninitialized off)
//   passportjs.org/tutorials/password (a login reads a row of SQLite; the session carries the user, so other requests
//   do not ask the database)
// The cookie is not Secure, because all contenders use plain HTTP on this machine.
import { DatabaseSync } from 'node:sqlite';
import { hash, verify } from '@node-rs/argon2';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import passport from 'passport';
import { Strategy as LocalStrategy } from 'passport-local';
import { createClient } from 'redis';
import { offer } from '../child.ts';
import { cost } from './cost.mjs';

const { PORT, DATABASE_FILE, REDIS_URL, SESSION_SECRET } = process.env;

const database = new DatabaseSync(DATABASE_FILE);
database.exec(`create table if not exists users (
  id integer primary key, username text unique not null, password_hash text not null, first_name text, last_name text)`);
const insertUser = database.prepare(
  'insert into users (username, password_hash, first_name, last_name) values (?, ?, ?, ?)',
);
const findUser = database.prepare('select * from users where username = ?');

passport.use(
  new LocalStrategy(async (username, password, done) => {
    try {
      const user = findUser.get(username);
      const isRight = user !== undefined && (await verify(user.password_hash, password));
      done(null, isRight ? user : false);
    } catch (error) {
      done(error);
    }
  }),
);
passport.serializeUser(({ id, username, first_name, last_name }, done) => {
  process.nextTick(() => done(null, { id, username, first_name, last_name }));
});
passport.deserializeUser((user, done) => {
  process.nextTick(() => done(null, user));
});

const client = createClient({ url: REDIS_URL });
await client.connect();

const app = express();
app.disable('x-powered-by');
app.get('/health', (_request, response) => response.json({ status: 'ok' }));
app.use(express.json());
app.use(
  session({
    store: new RedisStore({ client }),
    name: 'session',
    secret: SESSION_SECRET,
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: 'lax', maxAge: 7 * 24 * 60 * 60 * 1000 },
  }),
);
app.use(passport.session());
app.post('/login', passport.authenticate('local'), (_request, response) => response.json({ detail: 'Logged in' }));
app.get('/me', (request, response) => {
  if (!request.isAuthenticated()) return response.sendStatus(401);
  const { username, first_name, last_name } = request.user;
  return response.json({ username, first_name, last_name });
});
app.listen(Number(PORT), '127.0.0.1');

offer({
  async addUsers(usernames, password) {
    for (const username of usernames) insertUser.run(username, await hash(password, cost), 'Ann', 'Archer');
  },
});
