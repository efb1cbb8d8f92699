import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startIssuer } from '../capabilities/upstream/issuer.ts';
import { writeUpstreams } from '../capabilities/upstream/opened.ts';
import { ann } from '../janua.ts';
import { openSite, signIn } from './browser.ts';

const issuer = await startIssuer('client_secret_post', () => `${site.origin}/auth/upstream/own/callback`);
const file = writeUpstreams([issuer.entry]);
after(async () => {
  file[Symbol.dispose]();
  await issuer[Symbol.asyncDispose]();
});
const site = openSite({ settings: { UPSTREAMS_FILE: file.path, SIGN_UP: 'on', ADMINISTRATORS: [ann.username] } });
const otherOrigins = () => [issuer.entry.issuer];

site.test(
  'a user signs in with another provider, which is on another origin, and stays signed in',
  async ({ page, context }) => {
    await page.goto('/auth/login?next=/account');
    await page.getByLabel('Keep me signed in').check();
    await page.getByRole('button', { name: 'Continue with Own' }).click();
    await page.waitForURL('/account');
    await page.getByText('rose@example.com').waitFor();
    const session = (await context.cookies()).find(({ name }) => name === 'session');
    assert.ok(session && session.expires > 0, 'the box Keep me signed in counts');
    assert.deepEqual(
      (await context.cookies()).filter(({ name }) => name === 'upstream'),
      [],
    );
  },
  { otherOrigins },
);

site.test(
  'a user links an account, and an administrator sees the provider',
  async ({ page }) => {
    // The provider signs every user in as Rose.
    await site.janua.people.remove('rose@example.com');
    await signIn(page);
    await page.goto('/account/security');
    await page.getByRole('link', { name: 'Accounts elsewhere' }).click();
    await page.getByRole('button', { name: 'Link with Own' }).click();
    await page.getByRole('heading', { name: 'Link this account?' }).waitFor();
    await page.getByText('You are signed in at Own as rose@example.com.').waitFor();
    await page.getByRole('button', { name: 'Link', exact: true }).click();
    await page.getByText('The account was linked.').waitFor();
    await page.getByText('Linked on').waitFor();
    await page.goto('/admin/upstreams');
    await page.getByText('Can be reached').waitFor();
    await page.goto('/account/sign-in-methods');
    await page.getByRole('button', { name: 'Unlink: Own' }).click();
    await page.getByText('The account was unlinked.').waitFor();
  },
  { otherOrigins },
);
