import assert from 'node:assert/strict';
import type { NewPasskey } from '../../src/capabilities/second-factor/webauthn.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { addPasskey as addPasskeyTo } from '../capabilities/second-factor/add-passkey.ts';
import { createAuthenticator } from '../capabilities/second-factor/authenticator.ts';
import { ann } from '../janua.ts';
import { openSite, type Visit } from './browser.ts';

const site = openSite();

const enrolment = { purpose: 'enrol:1', cookie: 'a' };
const toBase64 = (text = '') => Buffer.from(text, 'base64url').toString('base64');

async function findAnn() {
  const { services } = site.janua;
  const account = await site.janua.account();
  const { passkeys } = services.factors;
  const add = (made: NewPasskey) => services.hold(provedBy(account), (held) => passkeys.add(held, made));
  return { passkeys, add, account, user: account.user };
}

/** An authenticator of the browser, which answers by itself. */
async function addDevice({ context, page }: Visit, options: object = {}) {
  const cdp = await context.newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true, ...options },
    },
  });
  return { cdp, authenticatorId };
}

/** Gives Ann a passkey, and puts it into an authenticator of the browser. */
async function addPasskey(visit: Visit, options: object = {}) {
  const { passkeys, account, user } = await findAnn();
  const device = createAuthenticator({ origin: site.origin });
  const added = await addPasskeyTo(site.janua.services, account, device);
  const { cdp, authenticatorId } = await addDevice(visit, options);
  await cdp.send('WebAuthn.addCredential', {
    authenticatorId,
    credential: {
      ...{ credentialId: toBase64(device.id), isResidentCredential: true, rpId: 'localhost', signCount: 0 },
      privateKey: device.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
      userHandle: toBase64(device.userHandle),
    },
  });
  const kept = async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials.length;
  return { cdp, authenticatorId, passkeys, user, added, kept };
}

/** With autofill, an authenticator that answers by itself signs in before a test can click. */
const withoutAutofill = ({ page }: Visit) =>
  page.addInitScript('window.PublicKeyCredential.isConditionalMediationAvailable = async () => false');

/** Passkeys belong to a name. Browsers take none for an address. */
const atAddress = (path: string) => site.origin.replace('localhost', '127.0.0.1') + path;

/** Its authenticator and its scripts stay with the page. */
const ownPage = { changesPage: true };

const button = ({ page }: Visit) => page.getByRole('button', { name: 'Sign in with a passkey' });

site.test(
  'a user signs in by a button, and gets where they wanted to go',
  async (visit) => {
    const { page, context } = visit;
    await withoutAutofill(visit);
    const { added, passkeys, user } = await addPasskey(visit);
    await page.goto('/admin/me');
    await page.getByLabel('Keep me signed in').check();
    await button(visit).click();
    await page.waitForURL('/admin/me');
    await page.getByText(ann.username).waitFor();
    const cookie = (await context.cookies()).find(({ name }) => name === 'session');
    assert.ok((cookie?.expires ?? 0) > 0, 'the session is remembered');
    const used = (await passkeys.list(user)).find(({ id }) => id === added.id);
    assert.ok(used?.lastUsedAt);
  },
  ownPage,
);

site.test(
  'the browser offers the passkey in the field of the user name',
  async (visit) => {
    const { page } = visit;
    await addPasskey(visit);
    await page.goto('/auth/login');
    await page.waitForURL('/auth/home');
  },
  ownPage,
);

site.test(
  'autofill gets a new challenge before the old one expires, and leaves the way to the button',
  async (visit) => {
    const { page } = visit;
    const { cdp, authenticatorId } = await addPasskey(visit, { automaticPresenceSimulation: false });
    await page.clock.install();
    const asked = () => page.waitForResponse('/auth/passkey/options');
    const [first] = await Promise.all([asked(), page.goto('/auth/login')]);
    const [second] = await Promise.all([asked(), page.clock.runFor(4 * 60 * 1000)]);
    assert.notEqual((await first.json()).challenge, (await second.json()).challenge);
    await cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled: true });
    await button(visit).click();
    await page.waitForURL('/auth/home');
  },
  ownPage,
);

site.test(
  'a user who cannot be verified is told so, and may try again',
  async (visit) => {
    const { page } = visit;
    await withoutAutofill(visit);
    const { cdp, authenticatorId } = await addPasskey(visit, { isUserVerified: false });
    await page.goto('/auth/login');
    await button(visit).click();
    await page.getByRole('alert').filter({ hasText: 'No passkey was used. Please try again.' }).waitFor();
    await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: true });
    await button(visit).click();
    await page.waitForURL('/auth/home');
  },
  ownPage,
);

site.test(
  'the browser forgets a passkey that the server does not have, and keeps one that is refused',
  async (visit) => {
    const { page } = visit;
    await withoutAutofill(visit);
    const { passkeys, user, added, kept } = await addPasskey(visit);
    const { people } = site.janua;
    await people.disable(ann.username);
    await page.goto('/auth/login');
    await button(visit).click();
    await page.getByText('You could not be signed in with this passkey').waitFor();
    await people.enable(ann.username);
    assert.equal(await kept(), 1);
    await page.goto('/auth/login?state=9');
    assert.equal(await kept(), 1, 'a link cannot make the browser forget it');
    await passkeys.remove(user, added.id);
    await button(visit).click();
    await page.locator('[data-unknown]').waitFor();
    await page.getByText('This passkey is not known here any more').waitFor();
    for (let tries = 0; (await kept()) > 0 && tries < 50; tries++)
      await page.evaluate('new Promise(requestAnimationFrame)');
    assert.equal(await kept(), 0);
  },
  { ...ownPage, expected: /status of 400/ },
);

site.test(
  'the account page names the user to the browser, which forgets a passkey that was removed elsewhere',
  async (visit) => {
    const { page } = visit;
    await withoutAutofill(visit);
    const { cdp, authenticatorId, passkeys, user } = await addPasskey(visit);
    const kept = async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
    /** Signals have no end that a page could wait for. */
    async function settle(isDone: (names: (string | undefined)[]) => boolean) {
      for (let tries = 0; tries < 50; tries += 1) {
        const names = (await kept()).map(({ userName }) => userName);
        if (isDone(names)) return;
        await page.evaluate('new Promise(requestAnimationFrame)');
      }
      assert.fail(JSON.stringify(await kept()));
    }
    await page.goto('/auth/login');
    await button(visit).click();
    await page.waitForURL('/auth/home');
    await page.goto('/account');
    await settle(([name]) => name === ann.username);
    for (const { id } of await passkeys.list(user)) await passkeys.remove(user, id);
    await page.goto('/account');
    await settle(({ length }) => length === 0);
  },
  ownPage,
);

site.test(
  'an authenticator makes a passkey once for each account',
  async (visit) => {
    const { page } = visit;
    const { passkeys, add, user } = await findAnn();
    for (const { id } of await passkeys.list(user)) await passkeys.remove(user, id);
    await addDevice(visit, { defaultBackupEligibility: true, defaultBackupState: true });
    // The page that will have this form is not there yet.
    await page.route('**/enrol', async (route) => {
      if (route.request().method() === 'GET') {
        const body = `<form method="post" data-passkey="/enrol/options"><input type="hidden" name="credential"><button>Add</button></form>
        <script src="/assets/passkeys.js" data-domain="localhost" data-known="Known" data-cancelled="-" data-failed="-" defer></script>`;
        return route.fulfill({ contentType: 'text/html', body });
      }
      const credential = new URLSearchParams(route.request().postData() ?? '').get('credential');
      const made = await passkeys.verifyRegistration(credential, enrolment);
      const added = made && (await add(made));
      return route.fulfill({ contentType: 'text/html', body: `${added?.name} ${added?.syncable} ${added?.synced}` });
    });
    await page.route('**/enrol/options', async (route) =>
      route.fulfill({ json: await passkeys.creationOptions(user, enrolment) }),
    );
    await page.goto('/enrol');
    await page.getByRole('button').click();
    await page.getByText('Passkey true true').waitFor();
    await page.goto('/enrol');
    await page.getByRole('button').click();
    await page.getByRole('alert').filter({ hasText: 'Known' }).waitFor();
    assert.equal((await passkeys.list(user)).length, 1);
    await page.goto('/auth/login');
    await page.waitForURL('/auth/home');
  },
  ownPage,
);

site.test(
  'at an address in place of a name, the button is absent',
  async (visit) => {
    const { page } = visit;
    await page.goto(atAddress('/auth/login'));
    await page.getByRole('button', { name: 'Show password' }).waitFor();
    assert.equal(await button(visit).count(), 0);
  },
  { otherOrigins: () => [atAddress('')] },
);

site.test(
  'without scripts, the page says that passkeys need them',
  async (visit) => {
    const { page } = visit;
    await page.goto('/auth/login');
    assert.equal(await button(visit).count(), 0);
    assert.match(await page.content(), /<noscript>.*Passkeys need JavaScript/s);
  },
  { javaScriptEnabled: false },
);
