import assert from 'node:assert/strict';
import { ann, password } from '../janua.ts';
import { address, openSite, sendLogin, signIn } from './browser.ts';

const site = openSite();

// The whole flow, with scripts and without: no page needs scripts.
for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with scripts' : 'without scripts';

  site.test(
    `${how}: a user signs in, visits the pages and signs out, and then the Back button shows nothing private`,
    async ({ page, context }) => {
      await page.goto('/');
      assert.equal(await page.title(), 'Janua Login');
      await sendLogin(page);
      await page.waitForURL('/auth/home');
      assert.equal(await page.title(), 'Janua Home');
      await page.getByRole('heading', { name: 'Welcome, Ann' }).waitFor();
      const cookie = (await context.cookies()).find(({ name }) => name === 'session');
      assert.deepEqual([cookie?.httpOnly, cookie?.sameSite, cookie?.expires], [true, 'Lax', -1]);

      await page.getByRole('link', { name: 'My Info', exact: true }).click();
      await page.waitForURL('/admin/me');
      assert.equal(await page.title(), 'Janua My Info');
      assert.deepEqual(await page.getByRole('definition').allTextContents(), [
        ann.username,
        ann.firstName,
        ann.lastName,
      ]);

      await page.getByRole('button', { name: 'Log out' }).click();
      await page.getByText('You are logged out.').waitFor();
      assert.equal(address(page), `/auth/login${javaScriptEnabled ? '' : '?state=0'}`);
      await page.goBack();
      await page.getByText('Please log in to continue').waitFor();
      assert.doesNotMatch(await page.content(), /Archer/);
      await page.goto('/admin/me');
      assert.equal(address(page), `/auth/login?${javaScriptEnabled ? '' : 'state=2&'}next=%2Fadmin%2Fme`);
    },
    { javaScriptEnabled },
  );

  site.test(
    `${how}: a protected page redirects to the login page, after a wrong password the user types only the password again, and the login leads back`,
    async ({ page }) => {
      await page.goto('/admin/me');
      assert.equal(await page.getByRole('alert').textContent(), 'Please log in to continue');
      await sendLogin(page, { password: 'wrong' });
      await page.getByText('Incorrect username or password').waitFor();
      assert.equal(await page.getByLabel('Username').inputValue(), ann.username);
      assert.match(String(await page.locator('.request-id').textContent()), /^Request id: [\da-f-]{36}$/);
      await page.keyboard.type(password);
      await page.keyboard.press('Enter');
      await page.waitForURL('/admin/me');
    },
    { javaScriptEnabled },
  );
}

site.test('a page from the back-forward cache asks the server again when it is shown', async ({ page, context }) => {
  await signIn(page);
  await context.clearCookies({ name: 'session' });
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
  await page.getByText('Please log in to continue').waitFor();
});

site.test('the cookie of a user who stays signed in outlives the browser', async ({ page, context }) => {
  await page.goto('/auth/login');
  await page.getByLabel('Keep me signed in').check();
  await sendLogin(page);
  await page.waitForURL('/auth/home');
  const cookie = (await context.cookies()).find(({ name }) => name === 'session');
  assert.ok((cookie?.expires ?? 0) * 1000 > Date.now() + 179 * 24 * 60 * 60 * 1000);
});

site.test('a button shows the password until it is sent', async ({ page }) => {
  await page.goto('/auth/login');
  const input = page.getByLabel('Password');
  const button = page.getByRole('button', { name: 'Show password' });
  const state = async () => [await input.getAttribute('type'), await button.getAttribute('aria-pressed')];
  await input.fill('wrong');
  assert.deepEqual(await state(), ['password', 'false']);
  await button.click();
  assert.deepEqual(await state(), ['text', 'true']);
  await button.press('Space');
  assert.deepEqual(await state(), ['password', 'false']);
  await button.click();
  await page.evaluate("addEventListener('submit', (event) => event.preventDefault())");
  await sendLogin(page, { password: 'wrong' });
  assert.deepEqual(await state(), ['password', 'false']);
});

site.test(
  'without scripts, no button shows the password',
  async ({ page }) => {
    await page.goto('/auth/login');
    assert.equal(await page.getByRole('button', { name: 'Show password' }).count(), 0);
  },
  { javaScriptEnabled: false },
);

site.test('a screen reader announces a wrong password, and both fields point to the message', async ({ page }) => {
  await page.goto('/auth/login');
  await sendLogin(page, { password: 'wrong' });
  await page.getByText('Incorrect username or password').waitFor();
  const message = page.getByRole('alert');
  for (const label of ['Username', 'Password']) {
    const describedBy = await page.getByLabel(label).getAttribute('aria-describedby');
    assert.equal(describedBy, await message.getAttribute('id'), label);
    assert.equal(await page.getByLabel(label).getAttribute('aria-invalid'), 'true', label);
  }
  assert.equal(await page.getByLabel('Password').inputValue(), '');
});

site.test('a user name need not be an e-mail address', async ({ page }) => {
  await page.goto('/auth/login');
  assert.equal(await page.locator('[aria-invalid]').count(), 0, 'no field is marked invalid before a login');
  await sendLogin(page, { username: 'asmith', password: 'wrong' });
  await page.getByText('Incorrect username or password').waitFor();
  assert.equal(await page.getByLabel('Username').inputValue(), 'asmith');
});

site.test('a signed-in user who opens the login page is sent to the home page', async ({ page }) => {
  await signIn(page);
  for (const path of ['/', '/auth/login', '/auth/login?state=2']) {
    await page.goto(path);
    assert.equal(address(page), '/auth/home');
  }
});

site.test('a logout in one window ends the session in the other', async ({ page, context }) => {
  await signIn(page);
  const other = await context.newPage();
  await other.goto('/auth/home');
  await other.getByRole('button', { name: 'Log out' }).click();
  await other.getByText('You are logged out.').waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByText('This session is over already').waitFor();
});

site.test('the keyboard reaches every control, and the focus is visible', async ({ page }) => {
  await page.goto('/auth/login');
  // The first field has the focus from the start.
  for (const [stop, typed] of [
    ['username', ann.username],
    ['password', password],
    ['Show password'],
    ['remember'],
    ['Sign in'],
  ]) {
    if (stop !== 'username') await page.keyboard.press('Tab');
    assert.deepEqual(await page.evaluate(focused), { stop, outline: 'solid 3px' });
    if (typed !== undefined) await page.keyboard.type(typed);
  }
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL('/auth/home');

  const header = ['Janua', 'Account', 'Log out'];
  const tabThrough = async (stops: readonly string[]) => {
    for (const stop of [...header, ...stops]) {
      await page.keyboard.press('Tab');
      assert.deepEqual(await page.evaluate(focused), { stop, outline: 'solid 3px' });
    }
  };
  await tabThrough(['Add a passkey', 'Not now', 'Don’t ask again', 'Your account', 'My Info', 'Language: English']);
  for (let back = 0; back < 2; back += 1) await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL('/account');
  const rows = ['Change', 'Change', 'Change', 'Change', 'Show', 'Show', 'Show'];
  await tabThrough([...rows, 'Download your data', 'Delete your account', 'Language: English']);
});

/** Runs in the page. Gives the focused element and its outline. */
const focused = `(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return { stop: element.textContent.trim() || element.name, outline: outlineStyle + ' ' + outlineWidth };
})()`;
