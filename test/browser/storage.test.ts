import assert from 'node:assert/strict';
import { openSite, signIn } from './browser.ts';

const site = openSite();

site.test('no page keeps anything where scripts of the origin could read it', async ({ page }) => {
  await signIn(page);
  for (const path of ['/auth/home', '/account/security']) {
    await page.goto(path);
    const kept = await page.evaluate(
      '(async () => [{ ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), document.cookie])()',
    );
    assert.deepEqual(kept, [{}, {}, [], ''], path);
  }
});
