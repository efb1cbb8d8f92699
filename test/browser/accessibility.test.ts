import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { address, openSite, signIn } from './browser.ts';

const site = openSite();
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Opens every page of ours, one after another. */
async function* everyPage(page: Page): AsyncGenerator<string> {
  for (const state of [0, 1, 2, 3, 4]) {
    await page.goto(`/auth/login?state=${state}`);
    yield address(page);
  }
  await page.goto('/nothing/here');
  yield '404';
  // A form of another site's, which is refused.
  await page.goto('about:blank');
  await page.setContent(`<form method="post" action="${site.origin}/auth/token"><button>Send</button></form>`);
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'Forbidden' }).waitFor();
  yield '403';
  await signIn(page);
  yield address(page);
  await page.getByRole('button', { name: 'My Info as JSON' }).click();
  await page.getByRole('region', { name: 'My Info as JSON' }).waitFor();
  yield 'the open panel';
  await page.goto('/admin/me');
  yield address(page);
}

const options = { expected: /status of (403|404)/ };

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [375, 1280]) {
    site.test(
      `no page breaks a WCAG 2.2 AA rule, ${colorScheme}, ${width} pixels wide`,
      async ({ page }) => {
        for await (const name of everyPage(page)) assert.deepEqual(await violations(page), [], name);
      },
      { ...options, colorScheme, viewport: { width, height: 720 }, reducedMotion: 'reduce' },
    );
  }
}

site.test(
  'no page scrolls sideways at 320 pixels, also with long words (WCAG 1.4.10)',
  async ({ page }) => {
    const long = { username: `${'long'.repeat(20)}@example.com`, firstName: 'W'.repeat(60), lastName: 'W'.repeat(60) };
    await page.route('/api/me', (route) => route.fulfill({ json: long }));
    for await (const name of everyPage(page)) {
      const hidden = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      assert.equal(hidden, 0, name);
    }
  },
  { ...options, viewport: { width: 320, height: 568 } },
);

async function violations(page: Page, exclusions: { rules?: string[] } = {}): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(tags)
    .disableRules(exclusions.rules ?? [])
    .analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  );
}

for (const colorScheme of ['light', 'dark'] as const) {
  site.test(
    `Swagger UI, ${colorScheme}`,
    async ({ page }) => {
      await page.goto('/docs');
      await page.locator('.opblock').first().waitFor();
      assert.deepEqual(await violations(page, { rules: [] }), []);
    },
    { colorScheme },
  );
}
