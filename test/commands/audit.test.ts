import assert from 'node:assert/strict';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { createAudit } from '../../src/core/audit/audit.ts';
import type { AuditEvent } from '../../src/core/audit/event.ts';
import { createSqlAuditStore } from '../../src/core/audit/sql-store.ts';
import { tooManyChanges } from '../../src/core/users/change-refused.ts';
import { loadKey } from '../../src/ground/database/keys.ts';
import { inTransaction } from '../../src/ground/database/transaction.ts';
import { events } from '../../src/site.ts';
import { caller } from '../core/audit/events.ts';
import { startScriptedSmtp } from '../core/mail/scripted-smtp.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { createMigratedWorkplace, createWorkplace } from './janua-command.ts';

const secret = 'correct horse battery';

const start = Date.UTC(2026, 0, 1, 8);

/** A folder with tables, one user, and an audit with a clock of its own. */
async function openPlace() {
  const workplace = await createMigratedWorkplace();
  await workplace.run(['users', 'add', 'ann@example.com', '--first-name', 'Ann', '--last-name', 'A'], {
    input: secret,
  });
  const opened = await openTestDatabase(`sqlite:${join(workplace.folder, 'data', 'janua.db')}`);
  const { id: ann } = await opened.database.selectFrom('janua_users').select('id').executeTakeFirstOrThrow();
  await opened.database.deleteFrom('janua_audit').execute();
  let time = start;
  const audit = createAudit({
    events,
    store: createSqlAuditStore(opened, events),
    log: { info() {}, warn() {} },
    nameKey: await loadKey(opened.database, 'audit-names'),
    now: () => time,
    tooManyChanges,
  });
  return {
    ann,
    database: opened.database,
    digestName: audit.digestName,
    /** Adds a program, and returns its id. */
    async addProgram(name: string): Promise<string> {
      await workplace.run(['groups', 'add', 'staff']);
      const machine = ['--machine', '--scope', 'users:read', '--within', 'staff', '--json'];
      const { stdout } = await workplace.run(['clients', 'add', '--name', name, ...machine]);
      await opened.database.deleteFrom('janua_audit').execute();
      return JSON.parse(stdout).client_id;
    },
    run: (...args: string[]) => workplace.run(args),
    runAs: (name: string, ...args: string[]) => workplace.run(args, { env: { JANUA_COMMAND: name } }),
    /** Records one event a minute. */
    async record(...given: readonly AuditEvent<keyof typeof events>[]) {
      for (const event of given) {
        await inTransaction(opened.database, (db) => audit.recordIn(db, event));
        time += 60_000;
      }
    },
    async [Symbol.asyncDispose]() {
      await opened.database.destroy();
      await workplace[Symbol.asyncDispose]();
    },
  };
}

const asked = (requestId: string) => ({ ...caller, requestId });

describe('janua audit', () => {
  test('prints a table of events and their users, newest last', async () => {
    await using place = await openPlace();
    assert.equal((await place.run('audit')).stdout, 'There are no such events.\n');
    const { ann } = place;
    const hr = await place.addProgram('HR');
    await place.record(
      { kind: 'login-failed', reason: 'wrong-password', userId: ann, caller: asked('request-1') },
      {
        kind: 'login-failed',
        reason: 'unknown-user',
        nameDigest: place.digestName('carl'),
        caller: asked('request-2'),
      },
      {
        kind: 'sessions-ended',
        userId: 'gone',
        count: 2,
        caller: { route: 'janua sessions revoke-all', operator: 'root' },
      },
      { kind: 'group-changed', about: 'staff', actorId: ann, caller: asked('request-3') },
      { kind: 'permission-refused', reason: 'beyond-program', userId: hr, caller: asked('request-4') },
      { kind: 'user-disabled', userId: ann, actorId: hr, caller: asked('request-5') },
    );
    const { stdout } = await place.run('audit');
    const cells = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/));
    const [heading = '', ...lines] = stdout.split('\n');
    assert.equal(lines[3]?.indexOf('ann@'), heading.indexOf('BY'));
    assert.deepEqual(cells, [
      ['TIME (UTC)', 'EVENT', 'USER', 'BY', 'FROM', 'ROUTE', 'DETAILS', 'REQUEST'],
      [
        ...['2026-01-01 08:00:00', 'login failed', 'ann@example.com', '203.0.113.7'],
        ...['POST /auth/token', 'wrong-password', 'request-1'],
      ],
      [
        ...['2026-01-01 08:01:00', 'login failed', `unknown ${place.digestName('carl')}`, '203.0.113.7'],
        ...['POST /auth/token', 'unknown-user', 'request-2'],
      ],
      ['2026-01-01 08:02:00', 'sessions ended', 'id gone', 'root', 'janua sessions revoke-all', '2 in all'],
      [
        ...['2026-01-01 08:03:00', 'group changed', 'ann@example.com', '203.0.113.7'],
        ...['POST /auth/token', 'staff', 'request-3'],
      ],
      [
        ...['2026-01-01 08:04:00', 'permission refused', 'HR', '203.0.113.7'],
        ...['POST /auth/token', 'beyond-program', 'request-4'],
      ],
      [
        ...['2026-01-01 08:05:00', 'user disabled', 'ann@example.com', 'HR', '203.0.113.7'],
        ...['POST /auth/token', 'request-5'],
      ],
    ]);
    assert.match((await place.run('explain', 'request-4')).stdout, new RegExp(`^Program   HR \\(id ${hr}\\)$`, 'm'));
    assert.match((await place.run('explain', 'request-5')).stdout, new RegExp(`^By {8}HR \\(id ${hr}\\)$`, 'm'));
  });

  test('filters events, and exports them as lines of JSON, oldest first', async () => {
    await using place = await openPlace();
    const { ann } = place;
    const other = { ...asked('request-3'), address: '2001:db8::1' };
    await place.record(
      { kind: 'login-succeeded', userId: ann, caller: asked('request-1') },
      { kind: 'login-failed', reason: 'unknown-user', nameDigest: place.digestName('bob'), caller: asked('request-2') },
      { kind: 'logged-out', userId: ann, caller: other },
    );
    async function requestsOf(...args: string[]): Promise<string[]> {
      const { code, stdout, stderr } = await place.run('audit', '--json', ...args);
      assert.deepEqual([code, stderr], [0, '']);
      const lines = stdout.split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line).caller.requestId);
    }
    const all = ['request-1', 'request-2', 'request-3'];
    for (const [args, expected] of [
      [[], all],
      [['--limit', '2'], all.slice(1)],
      [
        ['--user', 'ANN@example.com '],
        ['request-1', 'request-3'],
      ],
      [['--user', 'Bob'], ['request-2']],
      [['--user', 'nobody'], []],
      [
        ['--user-id', ann],
        ['request-1', 'request-3'],
      ],
      [['--kind', 'logged-out'], ['request-3']],
      [['--address', '2001:DB8:0::1'], ['request-3']],
      [['--since', '2026-01-01T08:01Z', '--until', '2026-01-01T09:02+01:00'], ['request-2']],
      [['--since', '2026-01-01T08:01'], all.slice(1)],
      [['--since', '2026-01-02'], []],
      [['--until', '7d'], start + 7 * 86_400_000 < Date.now() ? all : []],
    ] as const)
      assert.deepEqual(await requestsOf(...args), expected, args.join(' '));
  });

  test('exports more than a pipe holds without a loss, and limits the table to 50 events', async () => {
    await using place = await openPlace();
    const events = Array.from({ length: 1500 }, (_, index) => ({
      id: `${String(index).padStart(8, '0')}-0000-7000-8000-000000000000`,
      at: start,
      kind: 'login-failed',
      request_id: null,
      user_id: null,
      event: JSON.stringify({ kind: 'login-failed', caller: { ...caller, userAgent: 'x'.repeat(200) } }),
    }));
    for (let from = 0; from < events.length; from += 100)
      await place.database
        .insertInto('janua_audit')
        .values(events.slice(from, from + 100))
        .execute();
    const { stdout } = await place.run('audit', '--json');
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
      events.map(({ id }) => id),
    );
    const { stdout: table } = await place.run('audit');
    assert.equal(table.trimEnd().split('\n').length, 51);
  });

  test('refuses a wrong argument in one line', async () => {
    await using place = await openPlace();
    for (const [args, message] of [
      [['--since', 'yesterday'], /^--since must be such as 30m, 24h, 7d/],
      [['--until', '2026-13-01'], /^--until must be/],
      [['--until', '2h', '--since', '1h'], /^--until must be later than --since\.\n$/],
      [['--since', '2026-01-01', '--until', '2026-01-01'], /^--until must be later/],
      [['--address', '999.1.1.1'], /^--address must be an IP address\.\n$/],
      [['--kind', 'logins'], /^--kind must be one of: login-succeeded, /],
      [['--kind', 'login-faild'], /^--kind must be a kind of event\. Did you mean login-failed\?\n$/],
      [['--kind', 'Login failed'], / Did you mean login-failed\?\n$/],
      [['--kind', 'toString'], /^--kind must be one of/],
      [['--limit', '0'], /^--limit must be/],
      [['--user', 'a', '--user-id', 'b'], /^Give --user or --user-id/],
    ] as const) {
      const { code, stdout, stderr } = await place.run('audit', ...args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    }
  });
});

describe('janua explain', () => {
  test('explains every decision about a request in words, with the user', async () => {
    await using place = await openPlace();
    const throttle = [{ kind: 'account', failures: 9, waitSeconds: 0, stopped: false }] as const;
    await place.record(
      { kind: 'login-failed', reason: 'wrong-password', userId: place.ann, throttle, caller: asked('request-1') },
      { kind: 'account-stopped', userId: place.ann, caller: asked('request-1') },
      { kind: 'login-succeeded', userId: place.ann, caller: asked('request-2') },
    );
    const { code, stdout } = await place.run('explain', ' request-1 ');
    assert.equal(code, 0);
    const [failed = '', stopped = '', ...more] = stdout.split('\n\n');
    assert.deepEqual(more, []);
    assert.match(failed, /^When {6}2026-01-01 08:00:00\.000 UTC\n/);
    assert.match(failed, /^Decided {3}The login was refused: the password was wrong, and the user exists\.$/m);
    assert.match(failed, /^User {6}ann@example\.com \(id /m);
    assert.match(failed, /^Throttle {2}the account, from anywhere \(account\): 9 failures/m);
    assert.match(failed, /^To do {5}If the user forgot it: \.\/bin\/janua users set-password ann@example\.com\.$/m);
    const asService = await place.runAs('janua-admin', 'explain', 'request-1');
    assert.match(asService.stdout, /user forgot it: janua-admin users set-password ann@example\.com\.$/m);
    assert.match(stopped, /^Decided {3}The account accepts no more logins/m);
  });

  test('shows what became of the mail that a request asked for', async () => {
    await using workplace = await createMigratedWorkplace();
    await using smtp = await startScriptedSmtp();
    const names = ['--first-name', 'Ann', '--last-name', 'A'];
    await workplace.run(['users', 'add', 'ann@example.com', ...names], { input: secret });
    const mail = { MAIL_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'no-reply@example.com', SIGN_UP: 'on' };
    const server = await workplace.start(['serve'], mail);
    server.process.stdout.resume();
    const ask = async (path: string, email: string) => {
      const answer = await fetch(`${server.url}${path}`, { method: 'POST', body: new URLSearchParams({ email }) });
      assert.equal(answer.status, 202);
      return answer.headers.get('x-request-id') ?? '';
    };
    const known = await ask('/api/forgot-password', 'ann@example.com');
    const again = await ask('/api/forgot-password', 'ann@example.com');
    const unknown = await ask('/api/forgot-password', 'nobody@example.com');
    const newcomer = await ask('/api/sign-up', 'new@example.com');
    await smtp.waitFor(2);
    await server.stop();
    const explain = async (id: string) => (await workplace.run(['explain', id])).stdout;
    assert.match(
      await explain(known),
      /^Decided {3}A client asked for a new password.*^Decided {3}A mail was handed/ms,
    );
    assert.match(await explain(known), /^User {6}ann@example\.com/m);
    assert.match(await explain(again), /^Decided {3}A mail was not sent: there were too many requests/m);
    assert.match(await explain(unknown), /^Decided {3}A mail was not sent: no account has that address/m);
    assert.match(await explain(newcomer), /^Decided {3}A client asked to sign up.*^Decided {3}A mail was handed/ms);
    assert.doesNotMatch(await explain(unknown), /nobody@example/);
  });

  test('says why a request may be unknown, with exit code 1', async () => {
    await using place = await openPlace();
    const { code, stdout, stderr } = await place.run('explain', 'unknown');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^No decision is recorded under that request id\. .*AUDIT_RETENTION_DAYS.*events-left-out.*\n$/,
    );
  });
});

test('a refused user can quote the request id, and no typed name or password is recorded', async () => {
  await using workplace = await createWorkplace();
  const server = await workplace.start(['demo'], { LOG_LEVEL: 'info' });
  const output = text(server.process.stdout);
  const [known, name, password] = ['behai_nguyen@hotmail.com', 'canary-typed-as-name', 'canary-password'];
  async function logIn(username: string): Promise<string> {
    const body = new URLSearchParams({ username, password });
    const answer = await fetch(`${server.url}/api/login`, {
      method: 'POST',
      body,
      headers: { cookie: 'session=canary' },
    });
    assert.equal(answer.status, 400);
    return answer.headers.get('x-request-id') ?? '';
  }
  const [wrong, unknown] = [await logIn(known), await logIn(name)];
  const { stdout: explained } = await workplace.run(['explain', wrong]);
  assert.match(explained, /^Asked {5}POST \/api\/login, answered in JSON$/m);
  assert.match(explained, /^Decided {3}The login was refused: the password was wrong, and the user exists\.$/m);
  assert.match(explained, /^User {6}behai_nguyen@hotmail\.com/m);
  assert.match(explained, /^Sent {6}one session cookie; no access token\.$/m);
  const { stdout: found } = await workplace.run(['audit', '--json', '--user', name.toUpperCase()]);
  assert.equal(JSON.parse(found).caller.requestId, unknown);
  const { stdout: exported } = await workplace.run(['audit', '--json']);
  await server.stop();
  const lines = (await output)
    .trimEnd()
    .split('\n')
    .filter((line) => line.includes('"vocabulary"'));
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ event, reqId, level }) => [event, reqId, level]),
    [wrong, unknown].map((requestId) => ['login-failed', requestId, 40]),
  );
  assert.equal(exported.trimEnd().split('\n').length, 2);
  for (const kept of [await output, exported]) assert.doesNotMatch(kept, /canary/);
});

test('rows that were edited by hand neither break the commands nor control the terminal', async () => {
  await using place = await openPlace();
  const steering = '\u001B[2J\u202Egood';
  const rows = [
    ['broken', '{"kind":'],
    ['steering', JSON.stringify({ kind: 'login-failed', reason: steering, caller: { ...caller, route: steering } })],
  ];
  for (const [id = '', event = ''] of rows)
    await place.database
      .insertInto('janua_audit')
      .values({ id: `${id}${steering}`, at: start, kind: 'login-failed', request_id: 'r', user_id: null, event })
      .execute();
  // An id that is no UUID may sort outside of every period.
  const { stdout: table } = await place.run('audit');
  const { stdout: explained } = await place.run('explain', 'r');
  const { stdout: json } = await place.run('audit', '--json');
  for (const text of [table, explained, json])
    for (const character of steering.slice(0, 5).match(/[^\w[]/gu) ?? []) assert.ok(!text.includes(character));
  assert.match(table, /unreadable \(broken/);
  assert.match(explained, /This version cannot read the event/);
  assert.match(explained, /^Decided {3}The login was refused: \uFFFD\[2J\uFFFDgood\.$/m);
});
