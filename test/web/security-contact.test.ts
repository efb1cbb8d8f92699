import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../../src/ground/config/load.ts';
import { faultsOf } from '../../src/ground/faults/misconfiguration.ts';
import { startJanua } from '../janua.ts';

const path = '/.well-known/security.txt';

test('security.txt names the contact of the operator, for less than a year', async () => {
  for (const SECURITY_CONTACT of ['mailto:security@example.com', 'https://example.com/report']) {
    await using janua = await startJanua({ settings: { SECURITY_CONTACT } });
    const { headers, body } = await janua.get(path);
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
    const [, contact, expires = ''] = /^Contact: (.*)\nExpires: (.*)\n$/.exec(body) ?? [];
    assert.equal(contact, SECURITY_CONTACT);
    const days = (Date.parse(expires) - Date.now()) / 86_400_000;
    assert.ok(days > 30 && days < 365, expires);
  }
});

test('there is no security.txt without a contact, and in an app of another team', async () => {
  await using alone = await startJanua();
  assert.equal((await alone.get(path)).statusCode, 404);
  await using mounted = await startJanua({
    settings: { SECURITY_CONTACT: 'mailto:security@example.com' },
    stores: { users: 'SQLite', sessions: 'SQL', mounted: true },
  });
  assert.equal((await mounted.get(path)).statusCode, 404);
});

test('a contact is one address of mail or of a page', () => {
  for (const text of [
    'security@example.com',
    'mailto:x',
    'http://example.com/',
    'https://example.com/\nContact: x',
    'mailto:a@example.com\nX: y',
  ])
    assert.deepEqual(faultsOf(() => loadSettings({}, { SECURITY_CONTACT: text })).length, 1, text);
});
