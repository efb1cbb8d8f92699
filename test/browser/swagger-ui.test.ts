import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { ann, password } from '../janua.ts';
import { openSite, signIn } from './browser.ts';

const site = openSite();

async function authorize(page: Page): Promise<void> {
  await page.goto('/docs');
  await page.getByRole('button', { name: 'Authorize' }).click();
  const form = page.locator('.auth-container', { has: page.locator('#oauth_username') });
  await form.locator('#oauth_username').fill(ann.username);
  await form.locator('#oauth_password').fill(password);
  await form.getByRole('button', { name: 'Apply' }).click();
  await page.getByRole('button', { name: 'Remove authorization' }).waitFor();
  await page.getByRole('button', { name: 'Close' }).first().click();
}

/** Executes an operation with Try it out. */
async function tryOut(page: Page, path: string): Promise<{ status: string | undefined; body: unknown; curl: string }> {
  const operation = page.locator('.opblock', { has: page.locator(`[data-path="${path}"]`) });
  // Of a long list, Swagger UI shows only what is on the screen.
  while ((await operation.count()) === 0) await page.mouse.wheel(0, 500);
  await operation.locator('.opblock-summary-control').click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  const answer = operation.locator('.live-responses-table tbody tr').first();
  const status = (await answer.locator('.response-col_status').textContent())?.trim().slice(0, 3);
  const body = JSON.parse((await answer.locator('.highlight-code code').first().textContent()) ?? '');
  return { status, body, curl: (await operation.locator('.curl').textContent()) ?? '' };
}

const me = { username: ann.username, first_name: ann.firstName, last_name: ann.lastName };

// Shows: S26
site.test('Authorize gets a token, and Try it out sends it', async ({ page, context }) => {
  await authorize(page);
  // Without the cookie, only the token can sign the request in.
  await context.clearCookies();
  const { status, body, curl } = await tryOut(page, '/api/me');
  assert.deepEqual([status, body], ['200', me]);
  assert.match(curl, /Authorization: Bearer/);
});

site.test('a user who signed in with Authorize is signed in on the pages', async ({ page }) => {
  await authorize(page);
  await page.goto('/auth/home');
  await page.getByRole('heading', { name: 'Welcome, Ann' }).waitFor();
});

site.test('a user who signed in on a page is signed in for Try it out', async ({ page }) => {
  await signIn(page);
  await page.goto('/docs');
  const { status, body, curl } = await tryOut(page, '/api/me');
  assert.deepEqual([status, body], ['200', me]);
  assert.doesNotMatch(curl, /Authorization/);
});

site.test(
  'Try it out without a session gets 401',
  async ({ page }) => {
    await page.goto('/docs');
    const { status, body } = await tryOut(page, '/api/me');
    assert.equal(status, '401');
    assert.equal((body as { detail: string }).detail, 'Not authenticated');
  },
  { expected: /status of 401/ },
);
