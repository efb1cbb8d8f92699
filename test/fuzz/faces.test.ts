/**
 * Sends the same requests to both addresses of every action of the OpenAPI document, as a page and as JSON. Each must have the same
 * outcome and the same effect. A new action is included as soon as it is in the document.
 */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { demoHash } from '../../src/commands/demo-users.ts';
import { type Account, stampOf } from '../../src/core/users/account.ts';
import { startJanua } from '../janua.ts';
import { asJson, form, json } from '../web/faces.ts';
import { type Operation, readDocument } from './document.ts';

const janua = await startJanua({
  settings: { SIGN_UP: 'on', THROTTLE: 'off', PASSWORD_REHASH: 'off' },
  time: Date.now(),
});
after(() => janua[Symbol.asyncDispose]());
const { app, services } = janua;

const { operations } = await readDocument(app);
const actions = [...Map.groupBy(operations, ({ method, summary }) => `${method} ${summary}`).values()].flatMap(
  (twins) => {
    const api = twins.find(({ path }) => path.startsWith('/api/'));
    const page = twins.find(({ path }) => !path.startsWith('/api/'));
    return api && page ? [{ api, page }] : [];
  },
);

type Fields = Readonly<Record<string, unknown>>;

/** What a request sends, besides its fields. */
interface Variation {
  readonly name: string;
  readonly credential?: 'none' | 'dead' | 'stale';
  readonly headers?: Readonly<Record<string, string>>;
  /** Changes the fields that work. */
  readonly change?: (fields: Fields) => Fields;
  /** Whether the link was used before. */
  readonly usedLink?: boolean;
}

const without = (fields: Fields, name: string) =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));

function* variationsOf({ requestBody, security = [] }: Operation): Generator<Variation> {
  yield { name: 'as documented' };
  if (security.length > 0)
    for (const credential of ['none', 'dead', 'stale'] as const)
      yield { name: `credentials: ${credential}`, credential };
  yield { name: 'from another site', headers: { 'sec-fetch-site': 'cross-site' } };
  const properties = Object.entries(requestBody?.content['application/json']?.schema.properties ?? {});
  for (const [name, { maxLength = 254 }] of properties) {
    yield { name: `${name} missing`, change: (fields) => without(fields, name) };
    for (const [how, value] of Object.entries({
      empty: '',
      blank: ' ',
      'too long': 'x'.repeat(maxLength + 1),
      wrong: 'wrong',
      'with a line break': 'a\nb@example.com',
    }))
      yield { name: `${name} ${how}`, change: (fields) => ({ ...fields, [name]: value }) };
  }
  if (properties.some(([name]) => name === 'token')) yield { name: 'a used link', usedLink: true };
}

/** A user who sends one request. */
interface Person {
  readonly account: Account;
  readonly session: { readonly id: string; readonly accessToken: string };
  /** An address that nobody has. */
  readonly newAddress: string;
}

let people = 0;
async function addPerson(): Promise<Person> {
  people += 1;
  const [username, newAddress] = [`person-${people}@example.com`, `new-${people}@example.com`];
  const user = { username, firstName: 'Old', lastName: 'Name', passwordHash: demoHash, demo: false };
  const account = await services.users.findById((await services.registry?.add(user)) ?? '');
  assert.ok(account);
  const session = await services.sessions.start(
    { userId: account.user.id, stamp: stampOf(account) },
    { methods: ['pwd'] },
  );
  return { account, session, newAddress };
}

/** The mails of the last requests. A request of each face sends fewer. */
async function newestMails() {
  await services.mail?.settled();
  return (await services.sentOutbox?.listKept(20)) ?? [];
}

/** The token of the link that an action takes, from a mail. */
async function findToken(path: string, { account, session, newAddress }: Person): Promise<string> {
  const [url, email] = path.endsWith('/finish')
    ? ['/api/sign-up', newAddress]
    : path.endsWith('-email')
      ? ['/api/account/email', newAddress]
      : ['/api/forgot-password', account.user.username];
  const body = json({ email });
  const headers = { ...body.headers, authorization: `Bearer ${session.accessToken}` };
  await app.inject({ method: 'POST', url, ...body, headers });
  const mail = (await newestMails()).find(({ to }) => to === email);
  return /token=([\w-]{43})/.exec(mail?.text ?? '')?.[1] ?? assert.fail(`no link for ${path}`);
}

/** The fields of the document's example, for this user. */
async function fieldsOf({ requestBody, parameters = [], path }: Operation, person: Person): Promise<Fields> {
  const example = requestBody?.content['application/json']?.example ?? {};
  const takesToken = 'token' in (example as object) || parameters.some(({ name }) => name === 'token');
  const own: Fields = {
    username: person.account.user.username,
    email: path.endsWith('/forgot-password') ? person.account.user.username : person.newAddress,
    id: person.session.id,
    ...(takesToken && { token: await findToken(path, person) }),
  };
  const names = [...Object.keys(example), ...(takesToken ? ['token'] : [])];
  return Object.fromEntries(names.map((name) => [name, own[name] ?? (example as Fields)[name]]));
}

/** Pages that need a fresh proof before they show anything. */
const formsWithProof = new Set(
  ['security/totp', 'delete', 'password', 'email', 'confirm-email'].map((name) => `/account/${name}`),
);

const faces = {
  'page, form': (page: string) => ({ url: page, body: form, headers: {} }),
  'page as JSON': (page: string) => ({ url: page, body: form, headers: asJson }),
  'API, JSON body': (_page: string, api: string) => ({ url: api, body: json, headers: {} }),
};

/** What an answer says, whatever its format. */
function outcomeOf({ statusCode, headers, cookies, body }: LightMyRequestResponse): object {
  const { location = '' } = headers;
  if (location.startsWith('/auth/confirm?') || body.includes('insufficient_user_authentication'))
    return { is: 'stale' };
  // A login that waits for no second factor has to begin again: a page leads to the login, a program gets an error.
  const begins = body.includes('This code or this login');
  if (statusCode === 401 || begins || /^\/auth\/login\?state=[1245](?!\d)/.test(location)) return { is: 'signed out' };
  // A failed login leads back to the form.
  if (/^\/auth\/login\?state=[389]/.test(location)) return { is: 400 };
  if (statusCode >= 400) return { is: statusCode };
  return { is: 'done', setsSession: cookies.some(({ name, value }) => name === 'session' && value !== '') };
}

/** The fields that are at fault. Undefined for a page without the form, as after a choice in a menu. */
function faultsOf({ statusCode, headers, body }: LightMyRequestResponse): (string | undefined)[] | undefined {
  if (statusCode !== 422) return [];
  if (String(headers['content-type']).startsWith('application/json'))
    return (JSON.parse(body).errors as { field: string }[]).map(({ field }) => field).toSorted();
  const fields = [...body.matchAll(/id="(\w+)-error"/g)].map(([, field]) => field);
  return fields.length === 0 ? undefined : fields.toSorted();
}

/** What has become of the user. */
async function effectOn({ account, session, newAddress }: Person): Promise<object> {
  const { id, username } = account.user;
  const now = await services.users.findById(id);
  const newcomer = await services.users.findByUsername(newAddress);
  const mails = await newestMails();
  const subjectsTo = (address: string) => mails.filter(({ to }) => to === address).map(({ subject }) => subject);
  return {
    exists: now !== undefined,
    isRenamed: now?.user.username !== username,
    names: [now?.user.firstName, now?.user.lastName, now?.user.language],
    isPasswordNew: now?.passwordHash !== account.passwordHash,
    sessions: (await services.sessions.listOf(id, undefined)).map((each) => each.id === session.id),
    newcomer: newcomer && newcomer.user.id !== id && [newcomer.user.firstName, newcomer.user.lastName],
    mails: [subjectsTo(username), subjectsTo(newAddress)],
  };
}

async function carryOut(page: Operation, api: Operation, face: keyof typeof faces, variation: Variation) {
  const person = await addPerson();
  const { url, body, headers: faceHeaders } = faces[face](page.path, api.path);
  const working = await fieldsOf(api, person);
  const fields = variation.change?.(working) ?? working;
  const { credential = page.security?.length ? 'good' : 'none' } = variation;
  if (credential === 'dead') await services.sessions.end([{ ...person.session, userId: person.account.user.id }]);
  if (credential === 'stale') janua.pass(601_000);
  const headers = {
    ...(credential !== 'none' && { authorization: `Bearer ${person.session.accessToken}` }),
    ...faceHeaders,
    ...variation.headers,
  };
  const { method } = page;
  const query = new URLSearchParams(fields as Record<string, string>);
  // A form without any field would have no body.
  const sent = body({ ...fields, button: 'send' });
  const request: InjectOptions =
    method === 'GET'
      ? { method, url: `${url}?${query}`, headers }
      : { method: 'POST', url, ...sent, headers: { ...sent.headers, ...headers } };
  if (variation.usedLink) await app.inject({ ...request, method: 'POST', url: api.path, ...json({ ...fields }) });
  const answer = await app.inject(request);
  return { faults: faultsOf(answer), same: { outcome: outcomeOf(answer), effect: await effectOn(person) } };
}

describe('a page and its API have the same outcome', () => {
  test('every address under /api/ has its page', () => {
    const paired = new Set(actions.map(({ api }) => api));
    assert.deepEqual(
      operations.filter((operation) => operation.path.startsWith('/api/') && !paired.has(operation)),
      [],
    );
    assert.ok(actions.length > 20, String(actions.length));
  });

  for (const { page, api } of actions) {
    test(`${page.method} ${page.path} and ${api.path}`, async (t) => {
      let done = 0;
      const isForm = page.method === 'GET' && formsWithProof.has(page.path);
      for (const variation of variationsOf(api)) {
        const [first, ...others] = await Promise.all(
          Object.keys(faces).map((face) => carryOut(page, api, face as keyof typeof faces, variation)),
        );
        // A browser gives a proof before it gets the form. A program gets no form.
        const asksFirst = isForm && variation.credential === 'stale';
        if (asksFirst) assert.deepEqual(first?.same.outcome, { is: 'stale' });
        for (const { same, faults } of asksFirst ? [] : others) {
          assert.deepEqual(same, first?.same, variation.name);
          if (first?.faults !== undefined) assert.deepEqual(faults, first.faults, variation.name);
        }
        done += 1;
      }
      t.diagnostic(`${done} variations`);
    });
  }
});
