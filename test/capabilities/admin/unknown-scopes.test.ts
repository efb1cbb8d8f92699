import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admins } from '../../../src/core/users/scopes.ts';
import { startJanua } from '../../janua.ts';
import { signInAs } from './administrator.ts';

test('saving a group keeps a scope that SCOPES no longer names, until its box is emptied', async () => {
  await using janua = await startJanua({ settings: { SCOPES: ['reports:read'] } });
  const { services } = janua;
  const { groups, database } = services;
  await groups.add({ name: 'staff', description: '', scopes: ['reports:read'] });
  await database
    .updateTable('janua_groups')
    .set({ scopes: 'old:read reports:read' })
    .where('name', '=', 'staff')
    .execute();
  const headers = await signInAs(janua, [admins]);
  const scopesOf = async () => (await groups.findAll()).find(({ name }) => name === 'staff')?.scopes;
  const save = (scopes: readonly string[]) => janua.post('/admin/groups/scopes', { name: 'staff', scopes }, headers);
  const { body } = await janua.get('/admin/groups', headers);
  const form = /<input type="hidden" name="name" value="staff">\s*<fieldset>(.*?)<\/fieldset>/s.exec(body)?.[1] ?? '';
  const checked = [...form.matchAll(/value="([^"]+)" checked/g)].map(([, scope = '']) => scope);
  assert.deepEqual(checked.toSorted(), ['old:read', 'reports:read']);
  assert.match(form, /old:read \(unknown: not in SCOPES\)/);
  const listed = (await janua.get('/api/admin/groups', headers)).json().groups;
  assert.deepEqual(listed.find(({ name }: { name: string }) => name === 'staff').unknown_scopes, ['old:read']);
  assert.equal((await save([...checked, 'users:read'])).statusCode, 303);
  assert.deepEqual(await scopesOf(), ['old:read', 'reports:read', 'users:read']);
  assert.equal((await save(['users:read'])).statusCode, 303);
  assert.deepEqual(await scopesOf(), ['users:read']);
  assert.notEqual((await save(['users:read', 'old:read'])).statusCode, 303, 'it cannot be given anew');
});
