import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMigratedWorkplace } from './janua-command.ts';

const mail = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' };
const add = ['invite-links', 'add', '--label', 'Course', '--uses', '30', '--days', '14'];

test('a link for many is printed once, listed without its secret, and revoked', async () => {
  await using workplace = await createMigratedWorkplace();
  await workplace.run(['groups', 'add', 'students']);
  const wanting = await workplace.run(add);
  assert.deepEqual([wanting.code, wanting.stdout, wanting.stderr], [1, '', 'Set MAIL_URL first.\n']);
  const made = await workplace.run([...add, '--group', 'students', '--domain', 'Example.com'], { env: mail });
  const [, token = ''] = /^\S+\/auth\/join\?token=([\w-]{43})\n$/.exec(made.stdout) ?? assert.fail(made.stderr);
  const { stdout } = await workplace.run(['invite-links', 'list', '--json']);
  const { id, label, groups, uses, used, domain } = JSON.parse(stdout);
  assert.deepEqual([label, groups, uses, used, domain], ['Course', ['students'], 30, 0, 'example.com']);
  const table = (await workplace.run(['invite-links', 'list'])).stdout;
  assert.match(table, /^ID +LABEL +GROUPS +USED +DOMAIN +UNTIL\n\S+ +Course +students +0\/30 +example\.com /);
  assert.ok(!`${stdout}${table}`.includes(token));
  for (const [args, error] of [
    [['--group', 'admins'], /makes no administrators/],
    [['--group', 'nobody'], /There is no group nobody/],
    [['--domain', 'not a domain'], /The domain must be/],
  ] as const)
    assert.match((await workplace.run([...add, ...args], { env: mail })).stderr, error);
  const revoked = await workplace.run(['invite-links', 'revoke', id]);
  assert.deepEqual(revoked, { code: 0, stdout: 'The link is revoked.\n', stderr: '' });
  assert.match((await workplace.run(['invite-links', 'revoke', id])).stderr, /^There is no such link/);
  assert.match((await workplace.run(['invite-links', 'list'])).stdout, /^There are no links/);
  const audit = (await workplace.run(['audit'])).stdout;
  assert.match(audit, /invite link made .* students\n.*invite link revoked/);
});
