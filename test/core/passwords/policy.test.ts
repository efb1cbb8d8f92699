import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { foldForComparison, isCommon } from '../../../src/core/passwords/common-passwords.ts';
import { createPasswordPolicy, type PasswordOwner } from '../../../src/core/passwords/policy.ts';

const ann: PasswordOwner = { username: 'ann.archer@example.com', firstName: 'Ann', lastName: 'Archer' };

const log = { warn: () => assert.fail('logged') };

const policy = createPasswordPolicy({ appName: 'Acme Portal', breached: 'list', log });

const codeFor = async (password: string, owner: Partial<PasswordOwner> = {}) =>
  (await policy.findFault(password, { ...ann, ...owner }))?.code;

describe('a new password may be', () => {
  for (const password of [
    'correct horse battery',
    'correcthorsebattery',
    'CORRECT HORSE BATTERY',
    'horse, battery!',
    'a horse of another horse',
    'password and a phrase',
    'x7#Kq2!mZ9$vL4w',
    '841 290 735 612',
    'der Hund bellt um acht',
    'Trời hôm nay đẹp quá',
    'новый пароль три',
    '🔑🚲🌍🎈🍋🐙🎺🧊🪁🦉🎲🥕🛶🌵🔭',
    `  ${'trees and rivers, '.repeat(3)} in one line`,
    Array.from({ length: 240 }, (_, index) => index ** 2)
      .join(' ')
      .slice(0, 1024),
  ])
    test(JSON.stringify(password.slice(0, 40)), async () => assert.equal(await codeFor(password), undefined));
});

describe('a new password may not', () => {
  for (const [name, code, ...passwords] of [
    ['have fewer than 15 code points', 'password-too-short', '', 'horse battery!', '🔑🚲🌍🎈🍋🐙🎺🧊🪁🦉🎲🥕🛶🌵'],
    ['have 15 code points only before its composition', 'password-too-short', 'résumé à côté!'.normalize('NFD')],
    ['have more than 1,024 bytes', 'password-too-long', 'ü'.repeat(513), ' horse'.repeat(171)],
    ['have half of a surrogate pair', 'malformed', 'correct horse \ud83d', '\udd11 correct horse'],
    ['be in the list', 'password-common', 'Mailcreated5240', 'passwordstandard', 'lhbjkjubz2957704', 'NICK1234-REM936'],
    ['repeat one character', 'password-common', 'x'.repeat(15), ' '.repeat(15), '🔑'.repeat(15), 'x'.repeat(1024)],
    [
      'repeat one block',
      'password-common',
      'passwordpassword',
      '123123123123123',
      'vqzkx7mw Vqzkx7mw',
      'vqz7&3vqz7&3vqz',
    ],
    [
      'follow the alphabet',
      'password-common',
      'abcdefghijklmno',
      'ZYXWVUTSRQPONML',
      'abcd1234efgh5678',
      'aaabbbcccdddeee',
    ],
    [
      'follow the keyboard',
      'password-common',
      'qwertyuiopasdfg',
      '1qaz2wsx3edc4rfv',
      '1q2w3e4r5t6y7u8i',
      '!@#$%^&*()_qwer',
    ],
    ['follow other keyboards', 'password-common', 'azertyuiopqsdfg', 'qwertzuiopasdfg', 'poiuztrewq54321'],
    [
      'stretch a common word',
      'password-common',
      'monkey123456789',
      'P@ssw0rd1234567',
      '  Dragon!!!!!!!!',
      '20242025charlie',
    ],
    ['stretch a repeated common word', 'password-common', 'dragondragon123', 'letmein letmein 1', 'winter2024winter'],
  ] as const)
    for (const password of passwords)
      test(`${name}: ${JSON.stringify(password.slice(0, 20))}`, async () =>
        assert.equal(await codeFor(password), code));
});

test('a limit that a password misses is in its fault', async () => {
  assert.deepEqual(await policy.findFault('x', ann), { code: 'password-too-short', values: { count: 15 } });
  assert.deepEqual(await policy.findFault('x'.repeat(1025), ann), {
    code: 'password-too-long',
    values: { count: 1024 },
  });
});

describe('a new password may not contain', () => {
  for (const [name, password, owner] of [
    ['the address', 'ann.archer@example.com', { lastName: '' }],
    ['the address in a phrase', 'to ANN.ARCHER@EXAMPLE.COM', { lastName: '' }],
    ['what precedes the @', 'wonderful rob17 forever', { username: 'Rob17@example.com' }],
    ['a user name that is no address', 'wonderful rob17 forever', { username: 'Rob17' }],
    ['the last name', 'archer of the woods', {}],
    ['the last name within a word', 'we love archery a lot', {}],
    ['the first name', 'my cat is called Bella', { firstName: 'Bella' }],
    ['one of several first names', 'my cat is called Luise', { firstName: 'Anna Luise' }],
    ['both names, which are short', 'the cat of bo li is here', { firstName: 'Bo', lastName: 'Li' }],
    ['both names in one word', 'the cat of boli is here', { firstName: 'Bo', lastName: 'Li' }],
    ['a name without its accents', 'mot nha cua nguyen', { lastName: 'Nguyễn' }],
    ['a name composed in another way', 'une maison de ze\u0301bulon', { lastName: 'Z\u00e9bulon' }],
    ['the name of the site', 'open the acme portal', {}],
    ['the name of the site without its blank', 'open AcmePortal now!', {}],
  ] as const)
    test(name, async () => assert.equal(await codeFor(password, owner), 'password-personal'));
});

describe('a new password may contain', () => {
  for (const [name, password, owner] of [
    ['a name of three letters', 'the annual cannon', {}],
    ['a name of no letters', 'correct horse battery', { firstName: '', lastName: ' ' }],
    ['three letters that precede the @', 'the annual cannon', { username: 'ann@example.com' }],
    ['a word of the name of the site', 'a portal in the wall', {}],
    ['the domain of the address', 'an example.com phrase', {}],
  ] as const)
    test(name, async () => assert.equal(await codeFor(password, owner), undefined));
});

test('BREACHED_PASSWORDS=off compares with no list and no pattern, but with the names', async () => {
  const off = createPasswordPolicy({ appName: 'Janua', breached: 'off', log });
  assert.equal(await off.findFault('passwordpassword', ann), undefined);
  assert.equal((await off.findFault('january is so cold', ann))?.code, 'password-personal');
  assert.equal((await off.findFault('short', ann))?.code, 'password-too-short');
});

describe('the list of common passwords', () => {
  const file = (name: string) => readFile(new URL(`../../../src/core/passwords/${name}`, import.meta.url));

  test('is sorted, and has as many entries as its page says', async () => {
    const list = await file('common-passwords.bin');
    const entries = (list.toString('hex').match(/.{12}/g) ?? []).map(String);
    assert.deepEqual(entries, [...new Set(entries)].sort());
    const [, count = ''] = /\*\*([\d,]+)\*\*/.exec(String(await file('common-passwords.md'))) ?? [];
    assert.equal(entries.length, Number(count.replace(',', '')));
    assert.equal(entries.length, list.length / 6);
  });

  test('is read at the first look-up, and takes less than 1 MB', async () => {
    const module = JSON.stringify(new URL('../../../src/core/passwords/common-passwords.ts', import.meta.url));
    const code = `
      import { isCommon } from ${module};
      const memory = () => (gc(), process.memoryUsage().heapUsed + process.memoryUsage().external);
      const before = memory();
      const found = isCommon('mailcreated5240');
      process.stdout.write(JSON.stringify({ found, bytes: memory() - before }));
    `;
    const args = ['--expose-gc', '--input-type=module', '--eval', code];
    const { found, bytes } = JSON.parse((await promisify(execFile)(process.execPath, args)).stdout);
    assert.equal(found, true);
    assert.ok(bytes > 150_000 && bytes < 1_000_000, `${bytes} bytes`);
  });

  test('takes microseconds of a core for a look-up', () => {
    const phrases = Array.from({ length: 5_000 }, (_, index) => foldForComparison(`Correct Horse Battery ${index}`));
    const start = process.cpuUsage();
    assert.ok(!phrases.some(isCommon));
    const microseconds = process.cpuUsage(start).user / phrases.length;
    // About 15.
    assert.ok(microseconds < 500, `${microseconds} µs`);
  });
});
