import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { ann } from '../janua.ts';
import { address, openSite, signIn } from './browser.ts';

const site = openSite();
/** Signs in, and opens the page. */
async function openMyInfo(page: Page): Promise<void> {
  await signIn(page);
  await page.getByRole('link', { name: 'My Info' }).click();
  await page.waitForURL('/admin/me');
}

const me = { username: ann.username, first_name: ann.firstName, last_name: ann.lastName };

site.test('a button opens My Info as JSON on the page, and closes it', async ({ page }) => {
  await openMyInfo(page);
  const button = page.getByRole('button', { name: 'My Info as JSON' });
  const panel = page.getByRole('region', { name: 'My Info as JSON' });
  assert.equal(await button.getAttribute('aria-expanded'), 'false');
  assert.equal(await panel.isVisible(), false);

  await button.click();
  await panel.waitFor();
  assert.deepEqual(JSON.parse((await panel.textContent()) ?? ''), me);
  assert.equal(await button.getAttribute('aria-expanded'), 'true');
  assert.equal(address(page), '/admin/me');

  for (const key of ['Space', 'Enter', 'Space']) {
    const opens = !(await panel.isVisible());
    await button.press(key);
    await panel.waitFor({ state: opens ? 'visible' : 'hidden' });
  }
});

site.test('the panel shows a name with tags as text', async ({ page }) => {
  await openMyInfo(page);
  const named = { ...me, first_name: '<img src="/x" onerror="document.title = 1"><b>Ann</b>' };
  await page.route('/api/me', (route) => route.fulfill({ json: named }));
  await page.getByRole('button', { name: 'My Info as JSON' }).click();
  const panel = page.getByRole('region', { name: 'My Info as JSON' });
  await panel.waitFor();
  assert.deepEqual(JSON.parse((await panel.textContent()) ?? ''), named);
});

site.test(
  'without scripts, the same link leads to the JSON',
  async ({ page }) => {
    await openMyInfo(page);
    await page.getByRole('link', { name: 'My Info as JSON' }).click();
    await page.waitForURL('/api/me');
    assert.deepEqual(JSON.parse((await page.textContent('pre')) ?? ''), me);
  },
  // A browser that shows JSON requests an icon on its own.
  { javaScriptEnabled: false, expected: /favicon\.ico .*404/ },
);

site.test(
  'when the session has ended, the button leads to the login page',
  async ({ page, context }) => {
    await openMyInfo(page);
    await context.clearCookies({ name: 'session' });
    await page.getByRole('button', { name: 'My Info as JSON' }).click();
    await page.getByText('Please log in to continue').waitFor();
  },
  { expected: /status of 401/ },
);

site.test(
  'when the server cannot be reached, the panel says so',
  async ({ page }) => {
    await openMyInfo(page);
    await page.route('/api/me', (route) => route.abort());
    await page.getByRole('button', { name: 'My Info as JSON' }).click();
    await page.getByText('The server could not be reached. Please try again.').waitFor();
  },
  { expected: /ERR_FAILED/ },
);
