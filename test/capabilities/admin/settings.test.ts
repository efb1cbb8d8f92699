import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../../../src/ground/config/load.ts';
import { settingSchemas } from '../../../src/ground/config/settings.ts';
import { showSettings } from '../../../src/ground/config/shown-settings.ts';
import { startJanua } from '../../janua.ts';
import { signInWith } from './administrator.ts';

interface Shown {
  readonly setting: string;
  readonly value: unknown;
  readonly from: string;
}

test('every setting in effect is shown with its source, and no password', async () => {
  const settings = {
    MAIL_URL: 'smtp://janua:canary@mail.example.com:587',
    MAIL_FROM: 'no-reply@example.com',
    PUBLIC_URL: 'http://localhost:5000',
    SCOPES: ['reports:read', 'reports:write'],
  };
  await using janua = await startJanua({ settings, overrides: { given: new Set(['SCOPES']) } });
  const headers = await signInWith(janua, 'settings:read');
  const answer = await janua.get('/api/admin/settings', headers);
  const shown: Shown[] = answer.json().settings;
  assert.deepEqual(
    shown.map(({ setting }) => setting),
    Object.keys(settingSchemas),
  );
  const find = (name: string) => shown.find(({ setting }) => setting === name);
  assert.deepEqual(find('MAIL_URL')?.value, 'smtp://mail.example.com:587');
  assert.deepEqual(find('SCOPES'), { setting: 'SCOPES', value: settings.SCOPES, from: 'app' });
  assert.deepEqual(find('PORT'), { setting: 'PORT', value: 5000, from: 'default' });
  assert.deepEqual(find('USERS_TABLE'), { setting: 'USERS_TABLE', value: null, from: 'default' });
  const page = await janua.get('/admin/settings', headers);
  assert.match(page.body, /reports:read, reports:write/);
  assert.doesNotMatch(page.body + answer.body, /canary/);
});

test('a setting of the environment is shown as such', (t) => {
  process.env.APP_NAME = 'Example';
  t.after(() => delete process.env.APP_NAME);
  const shown = showSettings(loadSettings()).find(({ setting }) => setting === 'APP_NAME');
  assert.deepEqual(shown, { setting: 'APP_NAME', value: 'Example', from: 'environment' });
});
