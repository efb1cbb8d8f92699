import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { sql } from '../../src/ground/database/kysely.ts';
import { createWorkplace, type Workplace } from '../commands/janua-command.ts';
import { type ScriptedSmtp, startScriptedSmtp } from '../core/mail/scripted-smtp.ts';
import { startCollector } from '../core/telemetry/otlp.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { missing } from '../servers/missing.ts';
import { connectOnce } from '../servers/redis.ts';
import { openStores, type StoreChoice } from '../stores.ts';
import { asJson } from '../web/faces.ts';

const username = 'ann@example.com';

/** Typed values. Afterwards they must be found nowhere, in any encoding. */
const typed = {
  password: 'canary of the right password',
  wrongPassword: 'canary of a wrong password',
  nameThatIsAPassword: 'canary-typed-as-a-name',
  chosenPassword: 'canary of a chosen password',
  resetPassword: 'canary of a reset password',
  changedPassword: 'canary of a changed password',
  weakPassword: 'canary-weak',
};

const stores: readonly StoreChoice[] = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
];

/** The text in each encoding that could be written. */
const spellings = (text: string): string[] => [
  text,
  encodeURIComponent(text),
  encodeURIComponent(text).replaceAll('%20', '+'),
  Buffer.from(text).toString('base64').replace(/=*$/, ''),
  Buffer.from(text).toString('base64url'),
  Buffer.from(text).toString('hex'),
];

describe('the server writes no password, cookie or token, and no link of a mail', () => {
  for (const choice of stores) {
    test(`with users in ${choice.users} and sessions in ${choice.sessions}`, {
      skip: missing(choice.users, choice.sessions),
    }, async () => {
      await using stack = new AsyncDisposableStack();
      const opened = await openStores(choice);
      stack.defer(() => opened.drop());
      const workplace = stack.use(await createWorkplace());
      const file = choice.users === 'SQLite' ? { DATABASE_URL: 'sqlite:./janua.db' } : {};
      const collector = stack.use(await startCollector());
      const smtp = stack.use(await startScriptedSmtp());
      const env: Record<string, string> = {
        ...opened.settings,
        ...file,
        LOG_LEVEL: 'trace',
        METRICS_LISTEN: '0',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        MAIL_URL: `smtp://127.0.0.1:${smtp.port}`,
        MAIL_FROM: 'no-reply@example.com',
        SIGN_UP: 'on',
        HANDLES: 'users',
      };
      // The tables of the others are there.
      if (choice.users === 'SQLite') await workplace.run(['migrate'], { env });
      const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
      const added = await workplace.run(['users', 'add', username, ...names], { env, input: typed.password });
      assert.equal(added.code, 0, added.stderr);

      const server = await workplace.start(['serve'], env);
      let log = server.output;
      server.process.stdout.on('data', (chunk) => {
        log += chunk;
      });
      const links = await manageAccount(server.url, smtp);
      const { secrets, pages } = await visit(server.url);
      secrets.values.push(...links.secrets);
      pages.push(...links.pages);
      await spoil(choice, workplace, env);
      for (const headers of secrets.headers) {
        const answer = await fetch(`${server.url}/admin/me`, { headers });
        assert.equal(answer.status, 500, 'a missing table gives 500');
        pages.push(await answer.text());
      }
      const [, figures = ''] = /"(http:[^"]+\/metrics)"/.exec(server.output) ?? [];
      const metrics = await (await fetch(figures)).text();
      await server.stop();

      const written = {
        log,
        metrics,
        traces: collector.bytes().toString('latin1'),
        pages: pages.join('\n'),
        // They say the same of every store.
        ...(choice.users === 'SQLite' && (await runCommands(workplace, env))),
        ...(await dump(choice, workplace, env)),
      };
      assert.match(log, /login succeeded/, 'the log has lines to search');
      assert.match(written.stored, /login-succeeded/, 'the stores have records to search');
      assert.match(metrics, /janua_logins_total\{outcome="succeeded"\} 5/, 'the metrics have figures to search');
      assert.match(written.traces, /sessions\.insert/, 'the traces have spans to search');
      for (const person of [username, newcomer, 'Archer', '127.0.0.1'])
        for (const text of [metrics, written.traces]) assert.ok(!text.includes(person), person);
      for (const [where, text] of Object.entries(written)) {
        for (const secret of [...Object.values(typed), ...secrets.values])
          for (const spelling of spellings(secret)) assert.ok(!text.includes(spelling), `${secret} in ${where}`);
      }
    });
  }
});

/** Someone who signs up. The address changes once. */
const newcomer = 'cat@example.com';
const moved = 'moved@example.com';

/** Uses every link of a mail, and every form with a password, both rightly and wrongly. */
async function manageAccount(url: string, smtp: ScriptedSmtp): Promise<{ secrets: string[]; pages: string[] }> {
  const secrets: string[] = [];
  const pages: string[] = [];

  async function post(
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string }> {
    const answer = await fetch(`${url}${path}`, {
      method: 'POST',
      redirect: 'manual',
      headers,
      body: new URLSearchParams(fields),
    });
    const body = await answer.text();
    pages.push(JSON.stringify([...answer.headers].filter(([name]) => name !== 'set-cookie')));
    secrets.push(...answer.headers.getSetCookie().map((cookie) => /[.=]([^.=;]+);/.exec(cookie)?.[1] ?? ''));
    return { status: answer.status, body };
  }

  /** Sends a form that is refused, as a page and as JSON. A page with a link has its token, for the next try. */
  async function refuse(path: string, fields: Record<string, string>, status: number, headers = {}): Promise<void> {
    for (const face of [{}, asJson, { 'sec-fetch-site': 'cross-site' }]) {
      const refused = await post(path, fields, { ...headers, ...face });
      assert.equal(refused.status, 'sec-fetch-site' in face ? 403 : status, refused.body);
      pages.push(fields.token === undefined ? refused.body : refused.body.replaceAll(fields.token, ''));
    }
  }

  /** Sends a request that gives credentials, and keeps the secret ones. */
  async function admit(path: string, fields: Record<string, string>, headers = {}): Promise<{ authorization: string }> {
    const { status, body } = await post(path, fields, headers);
    assert.ok(status < 300, body);
    const { access_token: token } = JSON.parse(body) as { access_token: string };
    secrets.push(token, token.split('.')[1] ?? '');
    return { authorization: `Bearer ${token}` };
  }

  let mails = 0;
  /** The token of the next mail, which has one. */
  async function receive(): Promise<string> {
    for (;;) {
      await smtp.waitFor(++mails);
      const data = smtp.received[mails - 1]?.data.replaceAll('=\n', '') ?? '';
      const [, token] = /token=(?:3D)?([\w-]{43})/.exec(data) ?? [];
      if (token === undefined) continue;
      secrets.push(token);
      return token;
    }
  }
  const open = (path: string) => fetch(`${url}${path}`);

  await post('/auth/sign-up', { email: newcomer });
  const signUp = { token: await receive(), first_name: 'Cat', last_name: 'Archer' };
  await open(`/auth/sign-up/finish?token=${signUp.token}`);
  await refuse('/auth/sign-up/finish', { ...signUp, password: typed.weakPassword }, 422);
  await admit('/api/sign-up/finish', { ...signUp, password: typed.chosenPassword });
  await refuse('/auth/sign-up/finish', { ...signUp, password: typed.chosenPassword }, 410);

  await post('/auth/forgot-password', { email: newcomer });
  const token = await receive();
  await open(`/api/reset-password?token=${token}`);
  await refuse('/auth/reset-password', { token, password: typed.weakPassword }, 422);
  await post('/api/reset-password', { token, password: typed.resetPassword });
  await refuse('/auth/reset-password', { token, password: typed.resetPassword }, 410);

  let bearer = await admit('/api/login', { username: newcomer, password: typed.resetPassword });
  await refuse('/auth/confirm', { password: typed.wrongPassword }, 422, bearer);
  bearer = await admit('/api/confirm', { password: typed.resetPassword }, bearer);
  const change = { current_password: typed.resetPassword, new_password: typed.changedPassword };
  await refuse('/account/password', { ...change, current_password: typed.wrongPassword }, 422, bearer);
  await refuse('/account/password', { ...change, new_password: typed.weakPassword }, 422, bearer);
  bearer = await admit('/api/account/password', change, bearer);
  await post('/account/email', { current_password: typed.changedPassword, email: moved }, bearer);
  await post('/auth/confirm-email', { token: await receive() });
  await refuse('/account/delete', { current_password: typed.wrongPassword }, 422, bearer);
  pages.push(await (await fetch(`${url}/api/account/export`, { headers: bearer })).text());
  await post('/account/delete', { current_password: typed.changedPassword }, bearer);
  assert.equal((await fetch(`${url}/api/me`, { headers: bearer })).status, 401);
  return { secrets: secrets.filter((secret) => secret.length > 15), pages };
}

interface Visit {
  readonly secrets: { readonly values: string[]; readonly headers: Record<string, string>[] };
  /** All answers, except the token from a login. */
  readonly pages: string[];
}

/** Sends the requests of users and programs, both right and wrong. */
async function visit(url: string): Promise<Visit> {
  const values: string[] = [];
  const pages: string[] = [];

  async function send(
    path: string,
    headers: Record<string, string> = {},
    body?: string | URLSearchParams,
  ): Promise<Response> {
    const answer = await fetch(`${url}${path}`, {
      redirect: 'manual',
      headers,
      ...(body !== undefined && { method: 'POST', body }),
    });
    pages.push(path, JSON.stringify([...answer.headers].filter(([name]) => name !== 'set-cookie')));
    return answer;
  }

  const form = (password: string, name = username) => new URLSearchParams({ username: name, password });
  async function logIn(path: string, headers: Record<string, string>): Promise<Record<string, string>[]> {
    const answer = await send(path, headers, form(typed.password));
    const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0] ?? '');
    values.push(...cookies.map((cookie) => /[^.=]+$/.exec(cookie)?.[0] ?? ''));
    const body = await answer.text();
    if (!headers['x-expected-format'] && !path.startsWith('/api')) {
      pages.push(body);
      return [{ cookie: cookies.join('; ') }];
    }
    const { access_token: token } = JSON.parse(body) as { access_token: string };
    values.push(token, token.split('.')[1] ?? '');
    return [{ cookie: cookies.join('; ') }, { authorization: `Bearer ${token}` }];
  }

  const headers = [
    ...(await logIn('/auth/token', {})),
    ...(await logIn('/auth/token', asJson)),
    ...(await logIn('/api/login', {})),
  ];
  for (const credential of headers) {
    for (const path of ['/auth/login', '/auth/home', '/admin/me', '/api/me'])
      pages.push(await (await send(path, credential)).text());
    // Half of a credential is invalid.
    const broken = Object.fromEntries(Object.entries(credential).map(([name, value]) => [name, value.slice(0, -10)]));
    for (const path of ['/admin/me', '/api/me']) pages.push(await (await send(path, broken)).text());
  }
  for (const path of ['/auth/token', '/api/login'])
    for (const body of [
      form(typed.wrongPassword),
      form(typed.password, typed.nameThatIsAPassword),
      form(typed.wrongPassword, typed.nameThatIsAPassword),
      new URLSearchParams([...form(typed.password), ['password', typed.wrongPassword]]),
      `{"username":"${username}","password":"${typed.password}"`,
      'x'.repeat(200_000) + typed.password,
    ]) {
      pages.push(await (await send(path, {}, body)).text());
      pages.push(await (await send(path, { 'content-type': 'application/json' }, body.toString())).text());
      pages.push(await (await send(path, { 'sec-fetch-site': 'cross-site' }, body)).text());
    }
  // A user may type it into a query. Then the browser has it, but the server must not write it.
  for (const path of ['/auth/token?username=ann&password=', '/auth/login?state=', '/auth/login?next=/', '/nothing?'])
    await fetch(`${url}${path}${encodeURIComponent(typed.wrongPassword)}`, { redirect: 'manual' });
  // Until the throttle answers.
  let last = 0;
  for (let tries = 0; last !== 429 && tries < 20; tries += 1)
    last = (await send('/api/login', {}, form(typed.wrongPassword, 'bob@example.com'))).status;
  assert.equal(last, 429);
  const [leaving] = headers;
  await send('/auth/logout', leaving, new URLSearchParams());
  return { secrets: { values: values.filter((value) => value.length > 15), headers: headers.slice(1, 3) }, pages };
}

/** Renames a table under the running server, to cause an unexpected error. */
async function spoil(choice: StoreChoice, workplace: Workplace, env: Record<string, string>): Promise<void> {
  await using opened = await openTestDatabase(urlOf(workplace, env));
  const table = choice.sessions === 'SQL' ? 'janua_sessions' : 'janua_users';
  await sql`alter table ${sql.table(table)} rename to ${sql.table('janua_spoilt')}`.execute(opened.database);
}

/** Runs the commands that read stored data, and gives their output. */
async function runCommands(workplace: Workplace, env: Record<string, string>): Promise<{ commands: string }> {
  let commands = '';
  for (const args of [
    ['audit', '--json'],
    ['audit'],
    ['throttle', 'list'],
    ['throttle', 'list', '--json'],
    ['doctor'],
    ['users', 'list'],
    ['sessions', 'list', username],
  ]) {
    const { stdout, stderr } = await workplace.run(args, { env });
    commands += stdout + stderr;
  }
  return { commands };
}

/** Everything that is stored, unchanged. */
async function dump(
  choice: StoreChoice,
  workplace: Workplace,
  env: Record<string, string>,
): Promise<{ stored: string; files: string }> {
  let stored = '';
  await using opened = await openTestDatabase(urlOf(workplace, env));
  const kept = choice.sessions === 'SQL' ? ['janua_spoilt', 'janua_users'] : ['janua_spoilt', 'janua_sessions'];
  for (const table of [...kept, 'janua_failures', 'janua_audit', 'janua_leases', 'janua_tokens', 'janua_mails']) {
    const { rows } = await sql`select * from ${sql.table(table)}`.execute(opened.database);
    stored += rows.map((row) => JSON.stringify(row)).join('\n');
  }
  if (env.REDIS_URL !== undefined) {
    const redis = connectOnce(env.REDIS_URL);
    for (const key of await redis.keys('*')) {
      const type = await redis.type(key);
      stored += `\n${key} `;
      if (type === 'hash') stored += JSON.stringify(await redis.hgetall(key));
      if (type === 'zset') stored += JSON.stringify(await redis.zrange(key, '0', '-1'));
      if (type === 'string') stored += await redis.get(key);
    }
    redis.disconnect();
  }
  // Deleted data may still be in a file.
  const names =
    choice.users === 'SQLite' ? (await readdir(workplace.folder)).filter((name) => name.startsWith('janua.db')) : [];
  const files = await Promise.all(names.map((name) => readFile(join(workplace.folder, name), 'latin1')));
  return { stored, files: files.join('\n') };
}

const urlOf = (workplace: Workplace, { DATABASE_URL = '' }: Record<string, string>) =>
  DATABASE_URL.replace('sqlite:./', `sqlite:${workplace.folder}/`);
