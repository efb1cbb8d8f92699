import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidFields } from '../../../../src/core/access/refusal.ts';
import { ann, startJanua } from '../../../janua.ts';
import { wiki } from '../application.ts';

test('of two changes of a client at a time, none writes back what the other has changed', async () => {
  await using janua = await startJanua();
  const { clientAdministration } = janua.services;
  const { client } = await clientAdministration.addClient(wiki);
  const changes = [{ name: 'Pages' }, { own: false }, { device: true }];
  await Promise.all(changes.map((change) => clientAdministration.changeClient(client.id, change)));
  const { name, own, device } = await clientAdministration.requireClient(client.id);
  assert.deepEqual({ name, own, device }, { name: 'Pages', own: false, device: true });
});

test('of two changes at a time that do not go together, one is refused', async () => {
  await using janua = await startJanua();
  const { clientAdministration, administration } = janua.services;
  await administration.addGroup({ name: 'staff', description: '', scopes: [] });
  const { redirectUris, ...program } = { ...wiki, own: false };
  const machine = { scopes: ['users:read'], within: ['staff'], may: {} };
  const { client } = await clientAdministration.addClient({ ...program, redirectUris: [], machine });
  await clientAdministration.changeClient(client.id, { machine: undefined });
  const results = await Promise.allSettled(
    [{ machine }, { redirectUris }].map((change) => clientAdministration.changeClient(client.id, change)),
  );
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  for (const result of results) if (result.status === 'rejected') assert.ok(result.reason instanceof InvalidFields);
  const changed = await clientAdministration.requireClient(client.id);
  assert.ok(changed.machine === undefined || changed.redirectUris.length === 0);
});

test('a change of a part of a grant does not bring back the rest, which was taken back at the same time', async () => {
  await using janua = await startJanua();
  const { clientAdministration, administration } = janua.services;
  for (const name of ['staff', 'sales']) await administration.addGroup({ name, description: '', scopes: [] });
  const machine = { scopes: ['users:read'], within: ['staff'], may: {} };
  const program = { ...wiki, own: false, redirectUris: [], machine };
  for (const changes of [
    [{ machine: undefined }, { machine: { within: ['sales'] } }],
    [{ machine: { within: ['sales'] } }, { machine: undefined }],
  ]) {
    const { id } = (await clientAdministration.addClient(program)).client;
    await Promise.allSettled(changes.map((change) => clientAdministration.changeClient(id, change)));
    assert.equal((await clientAdministration.requireClient(id)).machine, undefined);
  }
});

test('the users whom a removed program has added are not those of another client with its id', async () => {
  await using janua = await startJanua();
  const { clientAdministration, database, users } = janua.services;
  const addShop = () => clientAdministration.addClient({ ...wiki, id: 'shop' });
  const note = () =>
    database.updateTable('janua_users').set({ added_by: 'shop' }).where('username', '=', ann.username).execute();
  const adderOf = async () => (await users.findByUsername(ann.username))?.addedBy;
  await addShop();
  await note();
  await clientAdministration.removeClient('shop');
  assert.equal(await adderOf(), undefined);
  // A request of the program that outlasts its removal.
  await note();
  assert.equal(await adderOf(), 'shop');
  await addShop();
  assert.equal(await adderOf(), undefined);
});

test('a client that gets the id of a removed one hears of no logout of its users', async () => {
  await using janua = await startJanua();
  const { clientAdministration, database } = janua.services;
  const { client } = await clientAdministration.addClient({ ...wiki, own: false });
  const notice = { id: 'left', session_id: 's1', client_id: client.id, subject: 'ann', sid: 'sid', attempts: 0 };
  await database
    .insertInto('janua_logout_notices')
    .values({ ...notice, due_at: null, expires_at: Date.now() + 1000 })
    .execute();
  await clientAdministration.removeClient(client.id);
  assert.deepEqual(await database.selectFrom('janua_logout_notices').select('id').execute(), []);
});
