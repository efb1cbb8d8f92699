import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createMigratedWorkplace, type Running } from '../../commands/janua-command.ts';
import { type ScriptedSmtp, startScriptedSmtp } from '../../core/mail/scripted-smtp.ts';
import { isLong } from '../../long.ts';

/** `KILLED_SEED` (a whole number) selects other moments. */
const seed = Number(process.env.KILLED_SEED ?? 1);

/** How often the server is killed. */
const kills = isLong ? 10 : 2;

/** How many lines the server logs about the requests under way, about: a kill comes after one of them. */
const burst = 24;

const oldPassword = 'a password from before the kill';
const newPassword = 'a password that was just chosen';

const subjects = {
  signUp: 'Finish your account',
  reset: 'Choose a new password',
  confirm: 'Confirm your new address',
  passwordChanged: 'Your password was changed',
  addressChanged: 'Your address was changed',
};

/** What became of a request: its status, or undefined if the server died before it answered. */
type Outcome = number | undefined;

/** The program that asks a server which is killed again and again. */
class Visitor {
  /** The address changes with each start. */
  url = '';
  readonly #smtp: ScriptedSmtp;
  #people = 0;

  constructor(smtp: ScriptedSmtp) {
    this.#smtp = smtp;
  }

  newAddress(): string {
    this.#people += 1;
    return `person${this.#people}@example.com`;
  }

  /** @throws if the server refuses what it should do */
  async post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Outcome> {
    const request = { method: 'POST', headers, body: new URLSearchParams(fields) };
    const answer = await fetch(`${this.url}${path}`, request).catch(() => undefined);
    // A dying server may answer that its stores are closed.
    if (answer === undefined || answer.status === 503) return undefined;
    await answer.arrayBuffer().catch(() => undefined);
    return answer.status;
  }

  async logIn(username: string, password: string): Promise<string | undefined> {
    const request = { method: 'POST', body: new URLSearchParams({ username, password }) };
    const answer = await fetch(`${this.url}/api/login`, request);
    assert.ok(answer.status === 200 || answer.status === 400, `login answers ${answer.status}`);
    const { access_token: token } = (await answer.json()) as { access_token?: string };
    return token;
  }

  isSignedIn = async (token: string): Promise<boolean> =>
    (await fetch(`${this.url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status === 200;

  mailsTo(address: string, subject: string): string[] {
    const ours = this.#smtp.received.filter(
      ({ to, data }) => to[0] === address && data.includes(`Subject: ${subject}\n`),
    );
    return ours.map(({ data }) => data.replaceAll('=\n', ''));
  }

  /** Waits for a mail, one at a time, and gives the token of its link, if it has one. A mail that was lost lets the test time out. */
  async receive(address: string, subject: string): Promise<string> {
    for (;;) {
      const mail = this.mailsTo(address, subject).at(-1);
      if (mail !== undefined) return /token=(?:3D)?([\w-]{43})/.exec(mail)?.[1] ?? '';
      await this.#smtp.waitFor(this.#smtp.received.length + 1);
    }
  }
}

test('a server that is killed at any moment leaves no account half made, loses no mail, and no link works twice', async (t) => {
  await using workplace = await createMigratedWorkplace();
  await using smtp = await startScriptedSmtp();
  const visitor = new Visitor(smtp);
  const file = join(workplace.folder, 'data/janua.db');
  const env = {
    MAIL_URL: `smtp://127.0.0.1:${smtp.port}`,
    MAIL_FROM: 'no-reply@example.com',
    SIGN_UP: 'on',
    THROTTLE: 'off',
    LOGIN_NOTICES: 'off',
    LOG_LEVEL: 'debug',
  };
  let server: Running | undefined;

  async function start(): Promise<void> {
    server = await workplace.start(['serve'], env);
    visitor.url = server.url;
    server.process.stdout.resume();
  }

  /** Resolves when the server has logged so many more lines. */
  async function lines(count: number): Promise<void> {
    const { stdout } = server?.process ?? assert.fail('no server runs');
    for (let seen = 0; seen < count; ) seen += String(await once(stdout, 'data')).split('\n').length - 1;
  }

  async function kill(): Promise<void> {
    await server?.stop('SIGKILL');
    // A dead process loses its lease within 12 seconds, as test/core/mail/takeover.test.ts shows. Here nobody waits for that.
    const database = new DatabaseSync(file);
    database.exec('update janua_leases set expires_at = 0');
    database.close();
  }

  const names = { first_name: 'Ann', last_name: 'Archer' };
  const finish = (token: string, password: string) =>
    visitor.post('/api/sign-up/finish', { token, ...names, password });
  const reset = (token: string, password: string) => visitor.post('/api/reset-password', { token, password });

  async function addPeople(count: number): Promise<string[]> {
    const people = Array.from({ length: count }, () => visitor.newAddress());
    await Promise.all(people.map((email) => visitor.post('/api/sign-up', { email })));
    for (const address of people)
      assert.equal(await finish(await visitor.receive(address, subjects.signUp), oldPassword), 201);
    return people;
  }

  /** Asks for a link, whose mail must arrive if the server has acknowledged it. */
  async function ask(path: string, address: string, subject: string): Promise<{ check(): Promise<void> }> {
    const outcome = await visitor.post(path, { email: address });
    return {
      async check() {
        assert.ok(outcome === undefined || outcome === 202, `${path} answers ${outcome}`);
        if (outcome === 202) await visitor.receive(address, subject);
      },
    };
  }

  /** Finishes a sign-up. The account is whole, or the link still works. */
  async function signUp(address: string, token: string): Promise<{ check(): Promise<void> }> {
    const outcome = await finish(token, newPassword);
    return {
      async check() {
        assert.ok(outcome === undefined || outcome === 201, `the sign-up answers ${outcome}`);
        const isMade = (await visitor.logIn(address, newPassword)) !== undefined;
        if (outcome === 201) assert.ok(isMade, 'an acknowledged account is there');
        assert.equal(await finish(token, newPassword), isMade ? 410 : 201);
        assert.ok(await visitor.logIn(address, newPassword));
      },
    };
  }

  /** Sets a new password by a link. Either all has changed, or nothing has and the link still works. */
  async function resetPassword(address: string, token: string, session: string): Promise<{ check(): Promise<void> }> {
    const outcome = await reset(token, newPassword);
    return {
      async check() {
        assert.ok(outcome === undefined || outcome === 200, `the reset answers ${outcome}`);
        const isReset = (await visitor.logIn(address, newPassword)) !== undefined;
        if (outcome === 200) assert.ok(isReset, 'an acknowledged reset holds');
        assert.equal((await visitor.logIn(address, oldPassword)) === undefined, isReset);
        assert.equal(await visitor.isSignedIn(session), !isReset);
        assert.equal(await reset(token, newPassword), isReset ? 410 : 200);
        assert.equal(await reset(token, oldPassword), 410);
        await visitor.receive(address, subjects.passwordChanged);
      },
    };
  }

  /** Changes the password of a session. */
  async function changePassword(address: string, session: string): Promise<{ check(): Promise<void> }> {
    const fields = { current_password: oldPassword, new_password: newPassword };
    const outcome = await visitor.post('/api/account/password', fields, { authorization: `Bearer ${session}` });
    return {
      async check() {
        assert.ok(outcome === undefined || outcome === 200, `the change answers ${outcome}`);
        const isChanged = (await visitor.logIn(address, newPassword)) !== undefined;
        if (outcome === 200) assert.ok(isChanged, 'an acknowledged change holds');
        assert.equal((await visitor.logIn(address, oldPassword)) === undefined, isChanged);
        if (isChanged) await visitor.receive(address, subjects.passwordChanged);
      },
    };
  }

  /** Confirms a new address. The account has exactly one of the two. */
  async function confirmAddress(former: string, address: string, token: string): Promise<{ check(): Promise<void> }> {
    const outcome = await visitor.post('/api/confirm-email', { token });
    return {
      async check() {
        assert.ok(outcome === undefined || outcome === 200, `the confirmation answers ${outcome}`);
        const isMoved = (await visitor.logIn(address, oldPassword)) !== undefined;
        if (outcome === 200) assert.ok(isMoved, 'an acknowledged address holds');
        assert.equal((await visitor.logIn(former, oldPassword)) === undefined, isMoved);
        assert.equal(await visitor.post('/api/confirm-email', { token }), isMoved ? 410 : 200);
        for (const told of [former, address]) await visitor.receive(told, subjects.addressChanged);
      },
    };
  }

  const moments: number[] = [];
  for (let round = 0; round < kills; round += 1) {
    await start();
    const [forgetful = '', changing = '', moving = '', asking = ''] = await addPeople(4);
    const [newcomer, moved] = [visitor.newAddress(), visitor.newAddress()];
    const session = (await visitor.logIn(forgetful, oldPassword)) ?? '';
    const other = (await visitor.logIn(changing, oldPassword)) ?? '';
    const bearer = { authorization: `Bearer ${await visitor.logIn(moving, oldPassword)}` };
    await visitor.post('/api/sign-up', { email: newcomer });
    await visitor.post('/api/forgot-password', { email: forgetful });
    assert.equal(await visitor.post('/api/account/email', { email: moved }, bearer), 202);
    const finishing = await visitor.receive(newcomer, subjects.signUp);
    const resetting = await visitor.receive(forgetful, subjects.reset);
    const confirming = await visitor.receive(moved, subjects.confirm);

    const moment = (createHash('sha256').update(`${seed} ${round}`).digest()[0] ?? 0) % burst;
    const reached = lines(moment);
    const underWay = Promise.all([
      signUp(newcomer, finishing),
      resetPassword(forgetful, resetting, session),
      changePassword(changing, other),
      confirmAddress(moving, moved, confirming),
      ask('/api/sign-up', visitor.newAddress(), subjects.signUp),
      ask('/api/sign-up', visitor.newAddress(), subjects.signUp),
      ask('/api/forgot-password', asking, subjects.reset),
    ]);
    await Promise.race([reached, underWay]);
    await kill();
    await start();
    for (const { check } of await underWay) await check();
    moments.push(moment);
    await server?.stop();
  }
  t.diagnostic(`KILLED_SEED=${seed}, killed after ${moments.join(', ')} lines`);

  const database = new DatabaseSync(file);
  const left = database.prepare('select count(*) as count from janua_mails where due_at is not null').get();
  const half = database.prepare("select * from janua_users where stamp is null or password_hash = '' or username = ''");
  assert.equal(left?.count, 0, 'no mail is left in the outbox');
  assert.deepEqual(half.all(), []);
  database.close();
});
