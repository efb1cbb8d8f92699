import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMigratedWorkplace } from './janua-command.ts';

const names = ['--first-name', 'Ann', '--last-name', 'Archer'];

test('groups are added, listed, changed and removed, and users are put into them', async () => {
  await using workplace = await createMigratedWorkplace();
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await workplace.run(args, {
      env: { SCOPES: 'reports:read' },
      input: 'correct horse battery\n',
    });
    return { code, text: stdout + stderr };
  };
  assert.deepEqual(await run('groups', 'add', 'staff', 'reports:read', '--description', 'All'), {
    code: 0,
    text: 'Added staff.\n',
  });
  assert.equal((await run('users', 'add', 'ann@example.com', ...names, '--group', 'nobody')).code, 1);
  assert.equal(
    (await run('users', 'add', 'ann@example.com', ...names, '--group', 'admins', '--group', 'staff')).code,
    0,
  );
  assert.match((await run('groups', 'list')).text, /^GROUP .*\nadmins +1 .*\nstaff +1 +optional +reports:read +All\n$/);
  const [admins = ''] = (await run('groups', 'list', '--json')).text.split('\n');
  assert.ok(JSON.parse(admins).scopes.includes('users:write'), admins);
  assert.deepEqual(await run('users', 'groups', 'ann@example.com'), {
    code: 0,
    text: 'The user is in: admins, staff.\n',
  });
  const refused = await run('users', 'groups', 'ann@example.com', '--remove', 'admins');
  assert.equal(refused.code, 1);
  assert.match(refused.text, /^This is the last administrator/);
  assert.match((await run('users', 'remove', 'ann@example.com')).text, /^This is the last administrator/);
  assert.match((await run('users', 'disable', 'ann@example.com')).text, /^This is the last administrator/);
  assert.equal((await run('groups', 'scopes', 'staff', 'users:read')).text, 'staff grants: users:read.\n');
  assert.equal((await run('groups', 'scopes', 'staff', 'reports:write')).code, 1);
  assert.equal((await run('groups', 'claims', 'staff')).text, 'The group has no claims.\n');
  const claims = await run('groups', 'claims', 'staff', '--set', 'tags=["a"]', '--set', 'department=all');
  assert.equal(claims.text, 'department=all\ntags=["a"]\n');
  assert.equal((await run('groups', 'claims', 'staff', '--remove', 'tags')).text, 'department=all\n');
  const own = await run('users', 'claims', 'ann@example.com', '--set', 'level=7');
  assert.equal(own.text, 'department=all\nlevel=7\n');
  const reserved = await run('users', 'claims', 'ann@example.com', '--set', 'sub=eve');
  assert.deepEqual([reserved.code, reserved.text.slice(0, 34)], [1, 'The claim sub has a meaning in a s']);
  assert.equal((await run('users', 'claims', 'nobody@example.com')).code, 1);
  await run('groups', 'second-factor', 'staff');
  const demanding = await run('groups', 'remove', 'staff');
  assert.equal(demanding.code, 1);
  const [, lift = ''] = /Lift that first: \.\/bin\/janua (groups .*)\n$/.exec(demanding.text) ?? [];
  assert.equal((await run(...lift.split(' '))).code, 0);
  assert.equal((await run('groups', 'remove', 'staff')).code, 0);
  assert.equal((await run('users', 'groups', 'ann@example.com')).text, 'The user is in: admins.\n');
  const audit = (await run('audit', '--json')).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    audit.map(({ kind, about }) => `${kind} ${about ?? ''}`.trim()),
    [
      'group-added staff',
      'user-added',
      'user-groups-changed admins staff',
      'group-changed staff users:read',
      'group-claims-changed staff',
      'group-claims-changed staff',
      'user-claims-changed level',
      'group-factor-demanded staff',
      'group-factor-optional staff',
      'group-removed staff',
    ],
  );
});
