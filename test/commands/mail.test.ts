import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { greeting, openOffice } from '../core/mail/post-office.ts';
import { type ScriptedSmtp, startScriptedSmtp } from '../core/mail/scripted-smtp.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { createMigratedWorkplace, type Workplace } from './janua-command.ts';

const mailSettings = ({ port }: ScriptedSmtp) => ({
  MAIL_URL: `smtp://janua:canary-secret@127.0.0.1:${port}`,
  MAIL_FROM: 'Example <no-reply@example.com>',
});

/** Adds mails that a server of the workplace has not sent. */
async function queue({ folder }: Workplace, ...addresses: string[]): Promise<string[]> {
  await using opened = await openTestDatabase(`sqlite:${join(folder, 'janua.db')}`);
  // A purpose of the real server, whose mails need no account.
  const prepare = async () => ({ dropped: 'outdated' as const });
  const others = { 'account-deleted': { limit: { counted: [] }, keepSeconds: 60, prepare } };
  await using office = await openOffice({ opened, others });
  for (const address of addresses) await office.outbox.add(greeting(address, { purpose: 'account-deleted' }));
  const ids = (await office.listed()).map(({ id }) => id);
  for (const id of ids.slice(1)) await office.outbox.giveUp(id, '550 no such user');
  return ids;
}

describe('janua mail', () => {
  test('lists what waits and what was given up, and has a server send it', async () => {
    await using workplace = await createMigratedWorkplace();
    await using smtp = await startScriptedSmtp();
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await workplace.run(args, { env: { DATABASE_URL: 'sqlite:./janua.db' } });
      return { code, stdout, stderr };
    };
    await run('migrate');
    assert.equal((await run('mail', 'list')).stdout, 'There is no mail to send.\n');
    assert.equal((await run('mail', 'retry')).stdout, 'No mail was put off or given up.\n');
    const ids = await queue(workplace, 'ann@example.com', 'bob@example.com', 'cid@example.com');

    const [heading, ...rows] = (await run('mail', 'list')).stdout.trimEnd().split('\n');
    assert.match(heading ?? '', /^ID +PURPOSE +ADDRESS +CREATED \(UTC\) +DUE +ATTEMPTS +FAILURE$/);
    assert.match(rows[0] ?? '', /^[\w-]{36} +account-deleted +ann@example\.com +[\d-]+ [\d:]+ +[\d-]+ [\d:]+ +0$/);
    assert.match(rows[1] ?? '', / bob@example\.com +[\d-]+ [\d:]+ +given up +0 +550 no such user$/);
    const lines = (await run('mail', 'list', '--json')).stdout.trimEnd().split('\n');
    const { createdAt, dueAt, expiresAt, ...first } = JSON.parse(lines[0] ?? '');
    const mail = { id: ids[0], purpose: 'account-deleted', address: 'ann@example.com', attempts: 0 };
    assert.deepEqual(first, { ...mail, party: 'user:ann@example.com' });
    assert.deepEqual([dueAt, Date.parse(expiresAt) - Date.parse(createdAt)], [createdAt, 60_000]);
    assert.equal('dueAt' in JSON.parse(lines[1] ?? ''), false);

    const server = await workplace.start(['serve'], { DATABASE_URL: 'sqlite:./janua.db', ...mailSettings(smtp) });
    await smtp.waitFor(1);
    assert.deepEqual(await run('mail', 'retry', 'nonsense'), {
      ...{ code: 1, stdout: '', stderr: 'There is no mail with that id: ./bin/janua mail list.\n' },
    });
    assert.equal((await run('mail', 'retry', ids[1] ?? '')).stdout, 'The server tries to send the mail now.\n');
    await smtp.waitFor(2);
    // The mail server has the mail before Janua deletes its row.
    while ((await run('mail', 'list')).stdout.includes('bob@example.com'));
    assert.equal((await run('mail', 'retry')).stdout, 'The server tries to send the mail now.\n');
    await smtp.waitFor(3);
    await server.stop();
    assert.deepEqual(
      smtp.received.map(({ to }) => to[0]),
      ['ann@example.com', 'bob@example.com', 'cid@example.com'],
    );
    assert.equal((await run('mail', 'list')).stdout, 'There is no mail to send.\n');
    const { stdout } = await run('audit', '--json');
    const kinds = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).kind);
    assert.equal(kinds.filter((kind) => kind === 'mail-retried').length, 2);
    assert.equal(kinds.filter((kind) => kind === 'mail-sent').length, 3);
  });

  test('sends a test mail, and shows what the mail server says', async () => {
    await using workplace = await createMigratedWorkplace();
    await using smtp = await startScriptedSmtp();
    const send = (address: string, env = mailSettings(smtp)) => workplace.run(['mail', 'test', address], { env });
    const sent = await send('ann@example.com');
    assert.deepEqual([sent.code, sent.stderr], [0, '']);
    assert.match(sent.stdout, /^127\.0\.0\.1:\d+ took the mail to ann@example\.com\./);
    assert.match(smtp.received[0]?.data ?? '', /^Subject: Test mail from Janua$/m);
    smtp.direct((command) => (command.startsWith('RCPT') ? { answer: '550 5.1.1 no such user' } : undefined));
    const refused = await send('bob@example.com');
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /^127\.0\.0\.1:\d+ did not take the mail: 550 5\.1\.1 no such user\n$/);
    const list = await send('ann@example.com, bob@example.com');
    assert.deepEqual(list, {
      code: 2,
      stdout: '',
      stderr: 'The address must be one address, such as ann@example.com.\n',
    });
    const without = await workplace.run(['mail', 'test', 'ann@example.com']);
    assert.deepEqual(without, { code: 2, stdout: '', stderr: 'MAIL_URL must be set to the mail server.\n' });
    const { stdout } = await workplace.run(['audit', '--json', '--kind', 'mail-tested']);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ reason }) => reason),
      [undefined, 'failed'],
    );
    assert.doesNotMatch(JSON.stringify([sent, refused, events]), /canary/);
  });
});
