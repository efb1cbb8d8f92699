import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChangeRefused } from '../../src/users/administration.ts';
import { ann, attempt, caller, password, startJanua, type TestJanua } from '../janua.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

const add = (changes: object) =>
  janua.services.administration.add({
    username: 'new@example.com',
    firstName: 'N',
    lastName: 'N',
    password,
    ...changes,
  });

// Shows: V6.2.1 VM-58 VM-60
describe('a new user is refused', () => {
  for (const [name, changes] of [
    ['without @', { username: 'ann' }],
    ['with two @', { username: 'a@b@example.com' }],
    ['with a blank inside', { username: 'a b@example.com' }],
    ['with a line break', { username: 'a\n@example.com' }],
    ['with an invisible character', { username: 'a\u200b@example.com' }],
    ['with a user name of 255 characters', { username: `${'a'.repeat(243)}@example.com` }],
    ['whose name is taken', { username: ' ANN@example.com' }],
    ['with a long first name', { firstName: 'x'.repeat(101) }],
    ['with a line break in a name', { lastName: 'a\nb' }],
    ['with a password of 14 characters', { password: 'x'.repeat(14) }],
    ['with a password of 1025 bytes', { password: 'x'.repeat(1025) }],
    ['with the user name as password', { username: 'abcdefgh@example.com', password: 'ABCDEFGH@example.com' }],
  ] as const) {
    test(name, () => assert.rejects(add(changes), ChangeRefused));
  }
});

// Shows: V6.2.1 V6.2.5
test('a password may be any 15 code points', async () => {
  for (const [index, secret] of ['x'.repeat(15), ' '.repeat(15), '🔑'.repeat(15)].entries()) {
    const user = await add({ username: `U${index}@Example.com`, password: secret });
    assert.equal(user.username, `u${index}@example.com`);
    await janua.services.logIn(attempt(user.username, secret), caller);
  }
});

// Shows: VM-57 VM-60
test('two names that differ only in case or composition are the same user', async () => {
  await add({ username: 'andr\u00e9@example.com' });
  await assert.rejects(add({ username: 'ANDRE\u0301@example.com' }), ChangeRefused);
});

// Shows: S103
test('two users with the same password have different hashes', async () => {
  const { users } = janua.services;
  await add({ username: 'twin@example.com' });
  const hashes = await Promise.all([ann.username, 'twin@example.com'].map((name) => users.findByUsername(name)));
  assert.notEqual(hashes[0]?.passwordHash, hashes[1]?.passwordHash);
});

test('every change to an unknown user is refused', async () => {
  const { administration } = janua.services;
  for (const change of ['setPassword', 'disable', 'enable', 'remove'] as const) {
    await assert.rejects(administration[change]('nobody@example.com', password), ChangeRefused);
  }
});

// Shows: VM-16
test('a new password from an administrator works, ends the old one and every session, and makes a demo user a real one', async () => {
  const { administration, access, logIn, registry } = janua.services;
  await registry?.add({ username: 'demo@example.com', firstName: 'D', lastName: 'D', passwordHash: 'x', demo: true });
  await administration.setPassword('DEMO@example.com', password);
  const { session } = await logIn(attempt('demo@example.com', password), caller);
  await administration.setPassword('demo@example.com', `new ${password}`);
  assert.equal(await access.findSignedIn({ cookie: session.cookie }), undefined);
  const listed = (await Array.fromAsync(administration.list())).find(({ username }) => username === 'demo@example.com');
  assert.equal(listed?.demo, false);
});
