import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compare } from '../../../scripts/languages.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { signInAs } from '../../capabilities/admin/administrator.ts';
import { recorded } from '../../core/audit/events.ts';
import { queueOf } from '../../core/mail/post-office.ts';
import { ann, startJanua, type TestJanua } from '../../janua.ts';
import { copyOurs } from '../../page-examples.ts';

/** Some texts of a language that has other forms for numbers than English. */
const polish = {
  account: { title: 'Konto', sessionCount: { one: 'W {count} miejscu', other: 'W {count} miejscach' } },
  mails: { 'password-changed': { subject: 'Hasło zmienione' } },
  sentences: { Decided: 'Decyzja' },
};

let copy: Awaited<ReturnType<typeof copyOurs>>;
let janua: TestJanua;

before(async () => {
  copy = await copyOurs(['src', 'selftest', 'package.json']);
  const folder = join(copy.path, 'src/ground/languages');
  const table = await readFile(join(folder, 'languages.ts'), 'utf8');
  await writeFile(
    join(folder, 'languages.ts'),
    table.replace("  en: 'English',", (first) => `${first}\n  pl: 'Polski',`),
  );
  await writeFile(join(folder, 'pl.json'), JSON.stringify(polish));
  const { compose } = await import(join(copy.path, 'src/compose.ts'));
  janua = await startJanua({ compose });
});
after(async () => {
  await janua[Symbol.asyncDispose]();
  copy[Symbol.dispose]();
});

const show = async (url: string, headers: Record<string, string>) =>
  (await janua.app.inject({ url, headers: { ...headers, 'accept-language': 'pl' } })).body;

test('a page in a language with few texts shows English for the others', async () => {
  const [{ cookie }] = [await janua.logIn(), await janua.logIn()];
  const page = await show('/account', cookie);
  assert.ok(page.startsWith('<!doctype html>\n<html lang="pl">'), page.slice(0, 100));
  assert.match(page, /<title>Janua Konto<\/title>/);
  assert.match(page, /<h1>Your account<\/h1>/);
  // Polish has `many` for none, and `few` for two.
  assert.match(page, /<dd>0 tokens<\/dd>/);
  assert.match(page, /<dd>W 2 miejscach<\/dd>/);
});

test('so does a mail', async () => {
  const { app, services } = janua;
  await queueOf(services).add({ purpose: 'password-changed', address: ann.username, language: 'pl' });
  await services.mail?.settled();
  const [mail] = (await app.inject('/api/demo/mail')).json().mails;
  assert.equal(mail.subject, 'Hasło zmienione');
  assert.match(mail.html, /<html lang="pl">/);
  assert.match(mail.text, /The password of your Janua account was changed/);
});

test('so does the explanation of an event', async () => {
  await janua.services.auditTrail.insert([recorded(Date.now())]);
  const page = await show('/admin/audit', await signInAs(janua, [admins]));
  assert.match(page, /Decyzja/);
  assert.match(page, /The login was refused: the password was wrong/);
});

test('`npm run languages` names what a language lacks, and what English does not have', () => {
  const { missing, unknown } = compare({ ...polish, layout: { logOut: 'Wyloguj się', logIn: 'Zaloguj się' } });
  assert.deepEqual(unknown, ['layout.logIn']);
  assert.ok(missing.includes('layout.language'));
  assert.ok(missing.includes('mails.password-changed.paragraphs.0'));
  assert.ok(missing.includes('sentences.Asked'));
  for (const path of ['layout.logOut', 'account.sessionCount', 'sentences.Decided'])
    assert.ok(!missing.includes(path), path);
});
