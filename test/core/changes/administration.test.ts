import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChangeRefused } from '../../../src/core/users/change-refused.ts';
import { ann, attempt, caller, password, startJanua, type TestJanua } from '../../janua.ts';

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
  ] as const) {
    test(name, () => assert.rejects(add(changes), ChangeRefused));
  }
});

describe('a new password', () => {
  const personal = /^A password must not contain the name or address of the user/;
  for (const [name, secret, expected] of [
    ['has 15 characters or more', 'horse battery!', /^A password must have at least 15 characters/],
    ['has 1,024 bytes at most', 'ü'.repeat(513), /^A password must have at most 1024 bytes/],
    ['is valid text', `${password}\ud800`, /^A password must be valid text/],
    ['does not contain the address', 'for ANN@example.com', personal],
    ['does not contain a name', 'the archery club', personal],
    ['does not contain the name of the site', 'my janua password', personal],
    ['is not a common one', 'password1234567', /^Attackers try this password first/],
  ] as const) {
    test(name, async () => {
      const refused = { name: 'ChangeRefused', message: expected };
      await assert.rejects(janua.services.administration.setPassword(ann.username, secret), refused);
      await assert.rejects(add({ ...ann, password: secret }), refused);
      await janua.services.logIn(attempt(ann.username, password), caller);
    });
  }
});

test('two names that differ only in case or composition are the same user', async () => {
  await add({ username: 'andr\u00e9@example.com' });
  await assert.rejects(add({ username: 'ANDRE\u0301@example.com' }), { code: 'user-exists' });
});

test('two users with the same password have different hashes', async () => {
  const { users } = janua.services;
  await add({ username: 'twin@example.com' });
  const hashes = await Promise.all([ann.username, 'twin@example.com'].map((name) => users.findByUsername(name)));
  assert.notEqual(hashes[0]?.passwordHash, hashes[1]?.passwordHash);
});

test('the sessions of a user who is gone from the directory are ended by the id', async () => {
  const { administration, sessions } = janua.services;
  await sessions.start({ userId: 'gone', stamp: 'x' }, { methods: ['pwd'] });
  assert.equal(await administration.endSessions({ userId: 'gone' }), 1);
  assert.deepEqual(await sessions.listOf('gone', undefined), []);
});

test('every change to an unknown user is refused', async () => {
  const { administration } = janua.services;
  for (const change of ['setPassword', 'disable', 'enable', 'remove'] as const) {
    await assert.rejects(administration[change]('nobody@example.com', password), ChangeRefused);
  }
});

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
