import assert from 'node:assert/strict';
import { ann, password } from '../janua.ts';
import { address, openSite, sendLogin, signIn } from './browser.ts';

const site = openSite();

// The whole way, with scripts and without: no page needs one.
for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with scripts' : 'without scripts';

  site.test(
    `${how}: in, around and out again`,
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
      await page.waitForURL('/auth/login?state=0');
      assert.equal(await page.getByRole('alert').textContent(), 'You are logged out.');
      await page.goto('/admin/me');
      assert.equal(address(page), '/auth/login?state=2&next=%2Fadmin%2Fme');
    },
    { javaScriptEnabled },
  );

  site.test(
    `${how}: a page for people who are signed in sends others to the login page, and the login back to it`,
    async ({ page }) => {
      await page.goto('/admin/me');
      assert.equal(await page.getByRole('alert').textContent(), 'Please log in to continue');
      await sendLogin(page, { password: 'wrong' });
      await page.getByText('Incorrect username or password').waitFor();
      await sendLogin(page);
      await page.waitForURL('/admin/me');
    },
    { javaScriptEnabled },
  );

  site.test(
    // Shows: S73 V14.3.1
    `${how}: Back after logging out shows nothing private`,
    async ({ page }) => {
      await signIn(page);
      await page.goto('/admin/me');
      await page.getByRole('button', { name: 'Log out' }).click();
      await page.waitForURL('/auth/login?state=0');
      await page.goBack();
      assert.match(address(page), /^\/auth\/login\?state=2/);
      assert.doesNotMatch(await page.content(), /Archer/);
    },
    { javaScriptEnabled },
  );
}

site.test('a page that the browser kept asks the server again when it is shown', async ({ page, context }) => {
  await signIn(page);
  await context.clearCookies({ name: 'session' });
  const gone = page.waitForURL('/auth/login?state=2');
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
  await gone;
});

for (const javaScriptEnabled of [true, false]) {
  site.test(
    `${javaScriptEnabled ? 'with scripts' : 'without scripts'}: after a wrong password only the password is to be typed again`,
    async ({ page, context }) => {
      await page.goto('/auth/login');
      await sendLogin(page, { password: 'wrong' });
      await page.waitForURL('/auth/login?state=3');
      assert.equal(await page.getByLabel('Username').inputValue(), ann.username);
      assert.match(String(await page.locator('.request-id').textContent()), /^Request id: [\da-f-]{36}$/);
      assert.deepEqual(await context.cookies(), [], 'it was for this page alone');
      await page.keyboard.type(password);
      await page.keyboard.press('Enter');
      await page.waitForURL('/auth/home');
    },
    { javaScriptEnabled },
  );
}

site.test('a wrong password is said aloud and tied to both fields', async ({ page }) => {
  await page.goto('/auth/login');
  await sendLogin(page, { password: 'wrong' });
  await page.waitForURL('/auth/login?state=3');
  const message = page.getByRole('alert');
  assert.equal(await message.textContent(), 'Incorrect username or password');
  for (const label of ['Username', 'Password']) {
    const describedBy = await page.getByLabel(label).getAttribute('aria-describedby');
    assert.equal(describedBy, await message.getAttribute('id'), label);
    assert.equal(await page.getByLabel(label).getAttribute('aria-invalid'), 'true', label);
  }
  assert.equal(await page.getByLabel('Password').inputValue(), '');
});

site.test('a username need not be an address', async ({ page }) => {
  await page.goto('/auth/login');
  assert.equal(await page.locator('[aria-invalid]').count(), 0, 'nothing is wrong yet');
  await sendLogin(page, { username: 'asmith', password: 'wrong' });
  await page.waitForURL('/auth/login?state=3');
  assert.equal(await page.getByLabel('Username').inputValue(), 'asmith');
});

site.test('someone signed in who opens the login page goes home', async ({ page }) => {
  await signIn(page);
  for (const path of ['/', '/auth/login', '/auth/login?state=2']) {
    await page.goto(path);
    assert.equal(address(page), '/auth/home');
  }
});

site.test('logging out in one window takes the other along', async ({ page, context }) => {
  await signIn(page);
  const other = await context.newPage();
  await other.goto('/auth/home');
  await other.getByRole('button', { name: 'Log out' }).click();
  await other.waitForURL('/auth/login?state=0');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL('/auth/login?state=5');
  assert.equal(await page.getByRole('alert').textContent(), 'This session is over already');
});

site.test('the keyboard is enough, and shows where it is', async ({ page }) => {
  await page.goto('/auth/login');
  // The first field has the focus from the start.
  for (const [stop, typed] of [['username', ann.username], ['password', password], ['Log in']]) {
    if (stop !== 'username') await page.keyboard.press('Tab');
    assert.deepEqual(await page.evaluate(focused), { stop, outline: 'solid 3px' });
    if (typed !== undefined) await page.keyboard.type(typed);
  }
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.waitForURL('/auth/home');

  for (const stop of ['Janua', 'Log out', 'My Info', 'My Info as JSON']) {
    await page.keyboard.press('Tab');
    assert.deepEqual(await page.evaluate(focused), { stop, outline: 'solid 3px' });
  }
});

/** In the page: which element has the focus, and how that is shown. */
const focused = `(() => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return { stop: element.textContent.trim() || element.name, outline: outlineStyle + ' ' + outlineWidth };
})()`;
