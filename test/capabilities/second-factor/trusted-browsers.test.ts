import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTrustedBrowsers } from '../../../src/capabilities/second-factor/trusted-browsers.ts';
import { hashSecret } from '../../../src/core/sessions/credential.ts';
import { openMigrated } from '../../ground/database/open.ts';

const ann = { id: 'ann', username: 'ann@example.com' };
const bob = { id: 'bob', username: 'bob@example.com' };

test('a browser is trusted by its own secret, for one user and stamp, for as many days as the operator says', async () => {
  await using opened = await openMigrated();
  let time = Date.now();
  const open = (days: number) => createTrustedBrowsers(opened.database, days, () => time);
  const { trust, isTrusted } = open(30);
  const secret = await trust(ann, 'stamp');
  for (const [sent, user, stamp, expected] of [
    [secret, ann, 'stamp', true],
    ['A'.repeat(43), ann, 'stamp', false],
    [hashSecret(secret), ann, 'stamp', false],
    ['', ann, 'stamp', false],
    [undefined, ann, 'stamp', false],
    [secret, bob, 'stamp', false],
    [secret, ann, 'another stamp', false],
  ] as const)
    assert.equal(await isTrusted(sent, user, stamp), expected, `${sent} ${JSON.stringify(user)} ${stamp}`);
  assert.equal(await open(0).isTrusted(secret, ann, 'stamp'), false);
  time += 30 * 86_400_000 - 1;
  assert.equal(await isTrusted(secret, ann, 'stamp'), true);
  time += 1;
  assert.equal(await isTrusted(secret, ann, 'stamp'), false);
});

test('the trust in a browser is ended by its own user alone', async () => {
  await using opened = await openMigrated();
  const { trust, list, end } = createTrustedBrowsers(opened.database, 30, Date.now);
  await trust(ann, 'stamp');
  const [{ id } = assert.fail()] = await list(ann, 'stamp');
  assert.deepEqual(await list(bob, 'stamp'), []);
  assert.deepEqual([await end(bob, id), await end(ann, id), await end(ann, id)], [0, 1, 0]);
});

test('the name of a trusted browser is kept short, as its column wants it, and printable', async () => {
  await using opened = await openMigrated();
  const { trust, list } = createTrustedBrowsers(opened.database, 30, Date.now);
  await trust(ann, 'stamp', `a\u009b2J${'b'.repeat(300)}`);
  const [browser] = await list(ann, 'stamp');
  assert.equal(browser?.userAgent, `a\ufffd2J${'b'.repeat(196)}`);
});
