import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { admins } from '../../src/users/scopes.ts';
import { ann } from '../janua.ts';
import { openSite, signIn, submit } from './browser.ts';

const site = openSite({ settings: { SIGN_UP: 'off' } });

const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** Neither a violation of WCAG 2.2 AA nor a page wider than its screen, on both screens. */
async function check(page: Page, name: string): Promise<void> {
  for (const width of [375, 1280]) {
    await page.setViewportSize({ width, height: 720 });
    await page.evaluate(axe);
    const found = await page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })");
    const { violations } = found as { violations: { id: string; nodes: { html: string }[] }[] };
    assert.deepEqual(
      violations.map(({ id, nodes }) => [id, nodes[0]?.html]),
      [],
      `${name}, ${width}`,
    );
    assert.ok(((await page.evaluate('document.documentElement.scrollWidth')) as number) <= width, `${name}, ${width}`);
  }
}

site.test('an administrator invites, finds, disables and deletes a user', async ({ page }) => {
  const { administration, groups } = site.janua.services;
  await administration.changeGroups(ann.username, { add: [admins] });
  await groups.add({ name: 'staff', description: '', scopes: [] });
  await signIn(page, ann.username);
  await page.goto('/admin/users');
  await check(page, 'list');
  await page.getByRole('link', { name: 'Add a user' }).click();
  await check(page, 'add');
  await page.getByLabel('staff').check();
  await submit(page, 'Add', { 'E-mail address': 'eve@example.com', 'First name': 'Eve', 'Last name': 'Evans' });
  await page.getByText('the invitation is on its way').waitFor();
  await check(page, 'user');
  await page.goto('/admin/users');
  await page.getByLabel('Address or name begins with').fill('evans');
  await page.getByLabel('State').selectOption('Enabled');
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('link', { name: 'eve@example.com' }).click();
  await page.getByRole('link', { name: 'End all sessions' }).click();
  await page.getByRole('button', { name: 'End all sessions' }).click();
  await page.getByText('The sessions have ended.').waitFor();
  await page.getByRole('link', { name: 'Disable' }).click();
  await check(page, 'disable');
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByText('The user is disabled.').waitFor();
  await page.getByRole('link', { name: 'Change the groups' }).click();
  assert.ok(await page.getByLabel('staff').isChecked());
  await check(page, 'groups');
  await page.getByLabel('staff').uncheck();
  await page.getByRole('button', { name: 'Change the groups' }).click();
  await page.getByText('The groups are changed.').waitFor();
  await page.getByRole('link', { name: 'Delete', exact: true }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('heading', { name: 'Users' }).waitFor();
  assert.equal(await page.getByText('eve@example.com').count(), 0);
});
