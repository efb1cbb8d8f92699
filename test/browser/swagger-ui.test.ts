import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { ann, password } from '../janua.ts';
import { violations, wcag22aa } from './axe.ts';
import { openSite, signIn } from './browser.ts';

const site = openSite();

/** Opens Swagger UI with two operations. All of them take it many seconds. */
async function openDocs(page: Page): Promise<void> {
  await page.route('/openapi.json', async (route) => {
    const document = await (await route.fetch()).json();
    const { '/api/login': login, '/api/me': me } = document.paths;
    await route.fulfill({ json: { ...document, paths: { '/api/login': login, '/api/me': me } } });
  });
  await page.goto('/docs');
}

const me = { username: ann.username, first_name: ann.firstName, last_name: ann.lastName };

site.test(
  'Try it out sends the token of Authorize, else the session, and Authorize signs in on the pages too',
  async ({ page, context }) => {
    await openDocs(page);
    const operation = page.locator('.opblock', { has: page.locator('[data-path="/api/me"]') });
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Try it out' }).click();

    /** The status and the body of the answer, and the line that shows the request. */
    async function execute(): Promise<{ status: string | undefined; body: unknown; curl: string }> {
      const answered = page.waitForResponse('/api/me');
      await operation.getByRole('button', { name: 'Execute' }).click();
      const status = String((await answered).status());
      const answer = operation.locator('.live-responses-table tbody tr', { hasText: status }).first();
      const body = JSON.parse((await answer.locator('.highlight-code code').first().textContent()) ?? '');
      return { status, body, curl: (await operation.locator('.curl').textContent()) ?? '' };
    }

    const refused = await execute();
    assert.equal(refused.status, '401');
    assert.equal((refused.body as { detail: string }).detail, 'Not authenticated');

    await page.getByRole('button', { name: 'Authorize' }).click();
    const form = page.locator('.auth-container', { has: page.locator('#oauth_username') });
    await form.locator('#oauth_username').fill(ann.username);
    await form.locator('#oauth_password').fill(password);
    await form.getByRole('button', { name: 'Apply' }).click();
    await page.getByRole('button', { name: 'Remove authorization' }).waitFor();
    await page.getByRole('button', { name: 'Close' }).first().click();
    const other = await context.newPage();
    await other.goto('/auth/home');
    await other.getByRole('heading', { name: 'Welcome, Ann' }).waitFor();
    await page.bringToFront();

    // Without the cookie, only the token can sign the request in.
    await context.clearCookies();
    const withToken = await execute();
    assert.deepEqual([withToken.status, withToken.body], ['200', me]);
    assert.match(withToken.curl, /Authorization: Bearer/);

    await page.getByRole('button', { name: 'Authorize' }).click();
    await page.getByRole('button', { name: 'Remove authorization' }).click();
    await page.getByRole('button', { name: 'Close' }).first().click();
    await signIn(other);
    await page.bringToFront();
    const withSession = await execute();
    assert.deepEqual([withSession.status, withSession.body], ['200', me]);
    assert.doesNotMatch(withSession.curl, /Authorization/);
  },
  { expected: /status of 401/ },
);

/**
 * Rules that Swagger UI itself breaks. Neither configuration nor styles can fix them without replacing its parts:
 * its lists of examples have no names, its greens and greys are too pale, a line that opens an operation holds a link in a button, and these links are 19 pixels
 * high.
 */
const brokenBySwaggerUi = ['select-name', 'color-contrast', 'nested-interactive', 'target-size'];

site.test(
  'Swagger UI breaks only the known rules, light or dark',
  async ({ page }) => {
    await openDocs(page);
    await page.locator('[data-path="/api/login"]').click();
    await page.getByRole('button', { name: 'Try it out' }).waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await violations(page, wcag22aa, brokenBySwaggerUi), [], colorScheme);
    }
  },
  { reducedMotion: 'reduce' },
);
