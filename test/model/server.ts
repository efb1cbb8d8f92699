import { setImmediate } from 'node:timers/promises';
import { hash, verify } from '@node-rs/argon2';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { type Composition, compose, type Services } from '../../src/compose.ts';
import { currentCost } from '../../src/core/passwords/schemes/argon2.ts';
import type { Account } from '../../src/core/users/account.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import type { Settings } from '../../src/ground/config/settings.ts';
import type { App } from '../../src/web/types.ts';
import '../cheap-hashes/cost.ts';
import { hashingThreads } from '../cheap-hashes/threads.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { openStores, type StoreChoice, storeTimeoutSeconds } from '../stores.ts';
import { codeAt, type ModelFactors, stepOf } from './factors.ts';
import {
  idleTimeoutSeconds,
  lifetimeSeconds,
  type Model,
  type ModelUser,
  rememberedIdleSeconds,
  rememberedLifetimeSeconds,
} from './model.ts';

export const passwords = ['correct horse battery', 'another horse battery'] as const;

/** Breaks a rule for new passwords. */
export const weakPassword = 'too short';

/** Some passwords have a weak hash, as from an older program. Some users have an authenticator app. */
const people = [
  { username: 'ann@example.com', firstName: 'Ann', weak: false, hasApp: false },
  { username: 'bob@example.com', firstName: 'Bob', weak: true, hasApp: false },
  { username: 'cat@example.com', firstName: 'Cat', weak: true, hasApp: true },
] as const;

/** The last one is free at the start. Users may change to it, and anyone may sign up with it. */
export const usernames = [...people.map(({ username }) => username), 'dan@example.com'] as const;

/** A name without a user. */
export const nobody = 'nobody@example.com';

/** The fields of a new user with that name. */
export function newUser(username: string): Omit<ModelUser, 'id' | 'weak'> {
  const firstName = people.find((person) => person.username === username)?.firstName ?? 'Dan';
  return { username, firstName, password: passwords[0], hashVersion: 0, stamp: 0, disabled: false };
}

/** A server whose clock moves only by `pass`. It can restart on the same stores. */
export interface ModelServer extends AsyncDisposable {
  readonly services: Services;
  now(): number;
  pass(seconds: number): void;
  restart(): Promise<void>;
  /** Resets all state, and gives the users of the new state. */
  begin(): Promise<Pick<Model, 'users' | 'factors'>>;
  /** Gives the password of a hash, and whether its parameters are weak. */
  readPassword(hash: string): Promise<Pick<ModelUser, 'password' | 'weak'>>;
  send(request: InjectOptions): Promise<LightMyRequestResponse>;
  /** Waits for the mails to be sent, and gives the token of the last one to this address since it was last asked, if it has one. */
  takeToken(address: string): Promise<string | undefined>;
  /** The number of session records, expired ones included. Undefined if they cannot be counted. */
  countSessions(): Promise<number | undefined>;
}

export async function startModelServer(stores: StoreChoice): Promise<ModelServer> {
  const opened = await openStores(stores);
  const settings: Settings = {
    ...loadSettings({}, {}),
    LOG_LEVEL: 'silent',
    SESSION_IDLE_SECONDS: idleTimeoutSeconds,
    SESSION_LIFETIME_SECONDS: lifetimeSeconds,
    REMEMBER_IDLE_SECONDS: rememberedIdleSeconds,
    REMEMBER_LIFETIME_SECONDS: rememberedLifetimeSeconds,
    SIGN_UP: 'on',
    LOGIN_NOTICES: 'off',
    STORE_TIMEOUT_SECONDS: storeTimeoutSeconds,
    ...opened.settings,
  };
  // Not earlier than now: Redis uses its own clock, and nothing may expire too early by it.
  let time = Date.now();
  let composition: Composition;
  let services: Services;
  let app: App;

  async function start(): Promise<void> {
    composition = await compose(settings, {
      ...{ failureFloor: 0, migrates: true, demoMailbox: true },
      hashingThreads,
      now: () => time,
    });
    services = await composition.prepare();
    app = await composition.createServer();
    await app.ready();
  }
  async function stop(): Promise<void> {
    await app.close();
    await composition.close();
  }

  await start();
  const hashes = await createHashes();
  const readMails = new Set<string>();
  const counting = stores.sessions === 'SQL' ? await openTestDatabase(opened.settings.DATABASE_URL) : undefined;

  return {
    get services() {
      return services;
    },
    now: () => time,
    pass(seconds) {
      time += seconds * 1000;
    },
    async restart() {
      await stop();
      await start();
    },
    async begin() {
      const { administration, registry, users, throttle } = services;
      if (registry === undefined) throw new TypeError('these users cannot be changed');
      for await (const { id: userId } of users.list()) await administration.remove({ userId });
      await throttle.lift(() => true);
      const begun: Awaited<ReturnType<ModelServer['begin']>> = { users: [], factors: new Map() };
      for (const { username, weak, hasApp } of people) {
        const { firstName } = newUser(username);
        const passwordHash = weak ? hashes.weak : hashes.current;
        await registry.add({ username, firstName, lastName: 'Example', passwordHash, demo: false });
        const account = await users.findByUsername(username);
        if (account === undefined) throw new TypeError('the user is not there');
        const { id } = account.user;
        begun.users.push({ ...newUser(username), id, weak });
        if (hasApp) begun.factors.set(id, await addApp(services, account, time));
      }
      return begun;
    },
    readPassword: createReadPassword(),
    send: (request) => app.inject(request),
    async takeToken(address) {
      await services.mail?.settled();
      const mails = (await services.outbox.listKept(20)).filter(({ id }) => !readMails.has(id));
      for (const { id } of mails) readMails.add(id);
      const tokens = mails.map(({ to, link = '' }) => (to === address ? /[?]token=(.+)$/.exec(link)?.[1] : ''));
      return tokens.find(Boolean);
    },
    async countSessions() {
      // Reads in the same turn of the event loop see the same state.
      await setImmediate();
      const row = await counting?.database
        .selectFrom('janua_sessions')
        .select(({ fn }) => fn.countAll().as('count'))
        .executeTakeFirst();
      return row && Number(row.count);
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await counting?.[Symbol.asyncDispose]();
      await opened.drop();
    },
  };
}

async function addApp({ factors, hold }: Services, account: Account, time: number): Promise<ModelFactors> {
  const { totp, recoveryCodes } = factors;
  const { secret } = await totp.begin(account.user, account.user.username);
  const lastStep = stepOf(time);
  const codes = await hold(provedBy(account), async (held) => {
    if (!(await totp.enable(held, codeAt(secret, lastStep)))) throw new TypeError('the app was not enabled');
    return recoveryCodes.replace(held);
  });
  return { app: { secret, lastStep }, begun: undefined, recoveryCodes: codes, spent: [] };
}

/** Computed once, because each sequence starts with them. */
async function createHashes(): Promise<{ current: string; weak: string }> {
  const [password] = passwords;
  return {
    current: await hash(password, currentCost),
    weak: await hash(password, { ...currentCost, memoryCost: 16 }),
  };
}

/** Checks each hash only once, because a check is slow. */
function createReadPassword(): ModelServer['readPassword'] {
  const known = new Map<string, Pick<ModelUser, 'password' | 'weak'>>();
  return async (stored) => {
    const before = known.get(stored);
    if (before !== undefined) return before;
    const [one, other] = passwords;
    const read = {
      password: (await verify(stored, one)) ? one : (await verify(stored, other)) ? other : 'neither',
      weak: !stored.includes(`m=${currentCost.memoryCost},t=${currentCost.timeCost},`),
    };
    known.set(stored, read);
    return read;
  };
}
