import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../../janua.ts';
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
