import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadSettings } from '../../../src/ground/config/load.ts';
import { findMailRoute, parseMailFrom, parseMailUrl } from '../../../src/ground/config/mail-server.ts';

describe('MAIL_URL', () => {
  const account = { user: 'janua', password: 'p@ss/w:rd' };
  for (const [url, expected] of [
    ['smtp://mail.example.com', { host: 'mail.example.com', port: 587, tls: 'required' }],
    ['smtp://mail.example.com:25/', { host: 'mail.example.com', port: 25, tls: 'required' }],
    ['smtps://mail.example.com', { host: 'mail.example.com', port: 465, tls: 'always' }],
    ['smtps://127.0.0.1:4650', { host: '127.0.0.1', port: 4650, tls: 'always' }],
    ['smtp://localhost:25', { host: 'localhost', port: 25, tls: 'if-offered' }],
    ['smtp://[::1]', { host: '::1', port: 587, tls: 'if-offered' }],
    ['smtp://localhost.example.com', { host: 'localhost.example.com', port: 587, tls: 'required' }],
    ['smtp://janua:p%40ss%2Fw%3Ard@mx', { host: 'mx', port: 587, tls: 'required', account }],
  ] as const) {
    test(`${url} is understood`, () => {
      assert.deepEqual(parseMailUrl(url), expected);
    });
  }

  for (const url of [
    ...['mail.example.com', 'http://mail.example.com', 'smtp:mail.example.com', 'smtp://', 'SMTP://mail.example.com'],
    ...['smtp://mail.example.com/inbox', 'smtp://mail.example.com?tls=off', 'smtp://mail.example.com#x'],
    ...['smtp://user@mail.example.com', 'smtp://user:p%zz@mail.example.com', 'smtp://mail.example.com:99999'],
    ...['smtp://mail example.com', 'smtp://mail%20example.com'],
  ])
    test(`${url} is refused`, () => assert.equal(parseMailUrl(url), undefined));
});

describe('MAIL_FROM', () => {
  for (const [text, name] of [
    ['no-reply@example.com', ''],
    ['<no-reply@example.com>', ''],
    ['Example Ltd <no-reply@example.com>', 'Example Ltd'],
    [' Zoë & Co. <no-reply@example.com> ', 'Zoë & Co.'],
  ] as const)
    test(`${text} is understood`, () => {
      assert.deepEqual(parseMailFrom(text), { name, address: 'no-reply@example.com' });
    });

  for (const text of [
    ...['Example', 'a@example.com, b@example.com', 'A <a@example.com>, B <b@example.com>', 'A <a@example.com', ''],
    ...['A\r\nBcc: x <a@example.com>', 'A <a@example.com\r\nBcc: x>', '"A" <a@example.com>', 'A <a@b@example.com>'],
  ])
    test(`${JSON.stringify(text)} is refused`, () => assert.equal(parseMailFrom(text), undefined));
});

test('mails come from the app, if MAIL_FROM has no name', () => {
  const settings = { ...loadSettings({}, {}), MAIL_URL: 'smtps://mx', MAIL_FROM: 'a@example.com', APP_NAME: 'Example' };
  assert.deepEqual(findMailRoute(settings)?.from, { name: 'Example', address: 'a@example.com' });
  assert.equal(findMailRoute({ ...settings, MAIL_URL: undefined } as never), undefined);
});
