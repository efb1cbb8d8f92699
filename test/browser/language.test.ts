import assert from 'node:assert/strict';
import { ann } from '../janua.ts';
import { address, openSite, signIn } from './browser.ts';

const site = openSite();

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with scripts' : 'without scripts';

  site.test(
    `the menu changes the language of this page and of the next, ${how}`,
    async ({ page }) => {
      await page.goto('/auth/login?state=2&next=%2Fadmin%2Fme');
      assert.equal(await page.getByRole('button', { name: 'Français' }).isVisible(), false);
      await page.getByText('Sprache: Deutsch').click();
      await page.getByRole('button', { name: 'Français' }).click();
      await page.getByText('Veuillez vous connecter pour continuer').waitFor();
      assert.equal(address(page), `/auth/login?${javaScriptEnabled ? '' : 'state=2&'}next=%2Fadmin%2Fme`);
      assert.equal(await page.locator('html').getAttribute('lang'), 'fr');
      await page.goto('/auth/login');
      await page.getByRole('heading', { name: 'Se connecter' }).waitFor();
    },
    { locale: 'de-AT', javaScriptEnabled },
  );
}

site.test('the keyboard opens the menu and chooses a language, and the account keeps it', async ({ page, context }) => {
  await signIn(page, ann.username);
  const menu = page.getByText('Language: English');
  await menu.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  assert.equal(await page.locator(':focus').textContent(), 'Deutsch');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Willkommen, Ann' }).waitFor();
  await context.clearCookies({ name: 'language' });
  await page.goto('/admin/me');
  await page.getByRole('heading', { name: 'Meine Daten' }).waitFor();
});

site.test(
  'the script says in the language of the page that the server cannot be reached',
  async ({ page }) => {
    await signIn(page, ann.username);
    await page.getByText(/^\w+: \w+$/).click();
    await page.getByRole('button', { name: 'Español' }).click();
    await page.getByRole('heading', { name: 'Le damos la bienvenida, Ann' }).waitFor();
    await page.goto('/admin/me');
    await page.route('**/api/me', (route) => route.abort());
    await page.getByRole('button', { name: 'Mis datos en JSON' }).click();
    await page.getByText('No se ha podido contactar con el servidor.').waitFor();
  },
  { expected: /ERR_FAILED/ },
);

site.test('the menu closes by Escape and by a click beside it, and the focus stays on it', async ({ page }) => {
  await page.goto('/auth/login');
  const menu = page.getByText(/^Language: /);
  const german = page.getByRole('button', { name: 'Deutsch' });
  await menu.click();
  await german.focus();
  await page.keyboard.press('Escape');
  await german.waitFor({ state: 'hidden' });
  assert.match((await page.locator(':focus').textContent()) ?? '', /^Language: /);
  await menu.click();
  await german.waitFor();
  await page.getByRole('heading').click();
  await german.waitFor({ state: 'hidden' });
});
