import assert from 'node:assert/strict';
import type { BrowserContext, Page } from 'playwright-core';
import german from '../../src/ground/languages/de.json' with { type: 'json' };
import { password as annsPassword } from '../janua.ts';
import { openMail, openSite, sendLogin, signIn, submit } from './browser.ts';

const site = openSite({ settings: { SIGN_UP: 'on' }, time: Date.now() });

const password = 'one horse and two staples';
const newPassword = 'three horses and one staple';
const otherBrowser = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0';

/** The browser notes each form that was not accepted. */
const expected = /status of (?:410|422)/;

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

const message = (page: Page, text: string) => page.locator('.message', { hasText: text }).waitFor();

/** What describes each field at fault, as a screen reader says it. */
const faulty = (page: Page) =>
  page.evaluate(`Object.fromEntries([...document.querySelectorAll('[aria-invalid]')].map(({ id, ariaDescribedByElements }) =>
    [id, ariaDescribedByElements.map(({ textContent }) => textContent)]))`);

/** Follows the link that changes a row of the account page. */
async function change(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: 'Account', exact: true }).click();
  await page.getByRole('link', { name, exact: true }).click();
}

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Log out' }).click();
  await message(page, 'You are logged out.');
}

/** Leaves only the cookies that outlive the browser. */
async function restartBrowser(context: BrowserContext): Promise<void> {
  const kept = (await context.cookies()).filter(({ expires }) => expires > 0);
  await context.clearCookies();
  await context.addCookies(kept);
}

async function signUp(page: Page, address: string): Promise<void> {
  await page.goto('/');
  await page.getByRole('link', { name: 'Sign up' }).click();
  await heading(page, 'Create an account');
  await submit(page, 'Send link', { Email: address });
  await message(page, 'Check your mail.');
  await page.getByRole('link', { name: 'Open the demo’s mailbox' }).click();
  await openMail(site, page, address);
  await heading(page, 'Finish your account');
  const names = { 'First name': 'Zoë', 'Last name': 'Nguyễn' };
  await submit(page, 'Create account', { ...names, Password: 'too short' });
  await page.getByText('Too short: at least 15 characters').waitFor();
  assert.equal(await page.getByLabel('First name').inputValue(), 'Zoë', 'what was typed is still there');
  await submit(page, 'Create account', { Password: password });
  await page.waitForURL('/auth/home');
  await heading(page, 'Welcome, Zoë');
}

async function stayLoggedIn(page: Page, context: BrowserContext, username: string): Promise<void> {
  await page.getByLabel('Keep me signed in').check();
  await sendLogin(page, { username, password });
  await page.waitForURL('/auth/home');
  await restartBrowser(context);
  await page.goto('/auth/home');
  await heading(page, 'Welcome, Zoë');
}

async function changeNameAndPassword(page: Page): Promise<void> {
  await change(page, 'Change your name');
  await submit(page, 'Save', { 'First name': 'Zoé' });
  await message(page, 'Your name was changed.');
  await page.getByText('Zoé Nguyễn').waitFor();
  await change(page, 'Change your password');
  await submit(page, 'Change your password', { 'New password': 'short' });
  await page.getByText('Too short').waitFor();
  await submit(page, 'Change your password', { 'New password': newPassword });
  await message(page, 'Your password was changed.');
}

async function changeAddress(page: Page, from: string, to: string): Promise<void> {
  await change(page, 'Change your email address');
  await submit(page, 'Send link', { 'New email': to });
  await message(page, 'We have sent a link to the new address.');
  await page.getByRole('definition').filter({ hasText: from }).waitFor();
  await openMail(site, page, to);
  await submit(page, 'Confirm address', {});
  await message(page, 'Your email address was changed.');
  await page.getByRole('definition').filter({ hasText: to }).waitFor();
}

async function endOtherSession(page: Page, username: string): Promise<void> {
  await using context = await page.context().browser()?.newContext({ baseURL: site.origin, userAgent: otherBrowser });
  const other = await context?.newPage();
  assert.ok(other);
  await other.goto('/');
  await sendLogin(other, { username, password: newPassword });
  await other.waitForURL('/auth/home');
  await change(page, 'Show where you are signed in');
  await heading(page, 'Where you are signed in');
  assert.equal(await page.getByRole('main').getByRole('listitem').count(), 2);
  await page.getByRole('button', { name: 'End: Firefox on macOS' }).click();
  await message(page, 'That session has ended.');
  await other.goto('/account');
  await message(other, 'Please log in to continue');
}

async function resetPassword(page: Page, username: string): Promise<void> {
  await page.getByRole('link', { name: 'Forgot password?' }).click();
  await submit(page, 'Send link', { Email: username });
  await message(page, 'Check your mail.');
  await openMail(site, page, username);
  const link = page.url();
  await heading(page, 'Choose a new password');
  await submit(page, 'Set password', { 'New password': password });
  await message(page, 'Your password was changed. Please sign in.');
  await sendLogin(page, { username, password: newPassword });
  await message(page, 'Incorrect username or password');
  await sendLogin(page, { username, password });
  // Nothing else signs in to the account.
  await page.waitForURL('/auth/home');
  await page.goto(link);
  await page.getByText('This link has expired, was used already, or was withdrawn').waitFor();
  await page.getByRole('link', { name: 'Get a new link' }).click();
  await heading(page, 'Forgot your password?');
}

async function deleteAccount(page: Page, username: string, current = password): Promise<void> {
  await page.goto('/auth/home');
  await change(page, 'Delete your account');
  await submit(page, 'Delete account', {});
  await message(page, 'Your account was deleted.');
  await sendLogin(page, { username, password: current });
  await message(page, 'Incorrect username or password');
}

site.test(
  'without scripts: a user signs up, stays signed in, changes and resets what there is, and deletes the account',
  async ({ page, context }) => {
    const [first, second] = ['zoe@example.com', 'zoe@example.org'];
    await signUp(page, first);
    await logOut(page);
    await stayLoggedIn(page, context, first);
    await changeNameAndPassword(page);
    await changeAddress(page, first, second);
    await endOtherSession(page, second);
    await logOut(page);
    await resetPassword(page, second);
    await deleteAccount(page, second);
  },
  { javaScriptEnabled: false, expected },
);

// The test of accessibility signs up, resets the password and changes the address with scripts.
site.test(
  'with scripts: a user stays signed in, changes name and password, ends another session, and deletes the account',
  async ({ page, context }) => {
    const username = 'zoe-with-scripts@example.com';
    await site.janua.people.add({ username, firstName: 'Zoë', lastName: 'Nguyễn', password });
    await page.goto('/');
    await stayLoggedIn(page, context, username);
    await changeNameAndPassword(page);
    await endOtherSession(page, username);
    await deleteAccount(page, username, newPassword);
  },
  { expected },
);

site.test(
  'a form that is not accepted names each fault beside its field, and the first has the focus',
  async ({ page }) => {
    await page.goto('/auth/sign-up');
    await submit(page, 'Send link', { Email: 'mistaken@example.com' });
    await openMail(site, page, 'mistaken@example.com');
    await submit(page, 'Create account', { 'First name': ' ', 'Last name': ' ', Password: password });
    await page.getByText('Required').first().waitFor();
    assert.deepEqual(await faulty(page), { first_name: ['Required'], last_name: ['Required'] });
    assert.equal(await page.evaluate('document.activeElement.id'), 'first_name');
    await submit(page, 'Create account', { 'First name': 'Zoë', 'Last name': 'Nguyễn', Password: 'too short' });
    await page.getByText('Too short').waitFor();
    const notes = ['At least 15 characters. A few words with spaces are fine.', 'Too short: at least 15 characters'];
    assert.deepEqual(await faulty(page), { password: notes });
    assert.equal(await page.evaluate('document.activeElement.id'), 'password');
    assert.equal(await page.locator('#password').inputValue(), '', 'no password is sent back');
    assert.equal(await page.getByRole('button', { name: 'Show password' }).getAttribute('aria-pressed'), 'false');
    assert.equal(await page.locator('#password').getAttribute('type'), 'password');
  },
  { expected },
);

site.test(
  'a browser that asks for German gets German pages and a German mail',
  async ({ page }) => {
    const { login, signUp, finishSignUp, account } = german;
    const address = 'zoe@example.de';
    await page.goto('/');
    await heading(page, 'Anmelden');
    await page.getByRole('link', { name: login.signUp }).click();
    await heading(page, signUp.heading);
    await submit(page, signUp.submit, { [account.email]: address });
    await message(page, signUp.sent);
    await openMail(site, page, address, 'An');
    await heading(page, finishSignUp.heading);
    const names = { [account.firstName]: 'Zoë', [account.lastName]: 'Müller' };
    await submit(page, finishSignUp.submit, { ...names, [login.password]: password });
    await page.waitForURL('/auth/home');
    await heading(page, 'Willkommen, Zoë');
    assert.equal(await page.title(), 'Janua Startseite');
    assert.equal(await page.locator('html').getAttribute('lang'), 'de');
  },
  { locale: 'de-DE' },
);

site.test(
  'a user whose proof is old gives one before the form, and only if it was long open sends the form again',
  async ({ page }) => {
    const confirm = async () => {
      await page.getByText('To go on to “Change your email address”, please confirm').waitFor();
      await submit(page, 'Confirm', { Password: annsPassword });
      await heading(page, 'Change your email address');
    };
    await signIn(page);
    site.janua.pass(11 * 60 * 1000);
    await page.goto('/auth/home');
    await change(page, 'Change your email address');
    await page.getByRole('link', { name: 'Cancel' }).click();
    await page.waitForURL('/account');
    await page.getByRole('link', { name: 'Change your email address' }).click();
    await confirm();
    assert.equal(await page.getByLabel('password').count(), 0);
    site.janua.pass(11 * 60 * 1000);
    await submit(page, 'Send link', { 'New email': 'late@example.com' });
    await confirm();
    await message(page, 'Nothing was sent or changed');
    await submit(page, 'Send link', { 'New email': 'late@example.com' });
    await message(page, 'We have sent a link to the new address.');
  },
);

site.test(
  'a user who asks for their data proves their identity if that was long ago, and gets a file',
  async ({ page }) => {
    const save = async () => {
      const saved = page.waitForEvent('download');
      await page.getByRole('link', { name: 'Download your data' }).click();
      return (await saved).suggestedFilename();
    };
    await signIn(page);
    await page.goto('/account');
    assert.equal(await save(), 'account.json');
    site.janua.pass(11 * 60 * 1000);
    await page.getByRole('link', { name: 'Download your data' }).click();
    await submit(page, 'Confirm', { Password: annsPassword });
    await message(page, 'You can download your data now.');
    assert.equal(await save(), 'account.json');
  },
);
