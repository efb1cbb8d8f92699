import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { Page } from 'playwright-core';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import { ann, password } from '../janua.ts';
import { isLong } from '../long.ts';
import { violations, wcag22aa } from './axe.ts';
import { addAuthenticator, address, openMail, openSite, sendLogin, signIn, submit } from './browser.ts';

const site = openSite({
  settings: {
    SIGN_UP: 'on',
    HANDLES: 'users',
    FORWARD_AUTH_ORIGINS: ['https://wiki.example.com', 'https://photos.example.com'],
    FORWARD_AUTH_RULES: ['https://wiki.example.com=staff'],
    TRUSTED_PROXIES: ['127.0.0.1', '::1'],
    UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
  },
});

interface Person {
  readonly username: string;
  /** Without an account. */
  readonly newcomer: string;
}

type Pages = (page: Page, person: Person) => AsyncGenerator<string>;

async function* openEach(page: Page, paths: readonly string[]): AsyncGenerator<string> {
  for (const path of paths) {
    await page.goto(path);
    yield path;
  }
}

/** The login page, and pages about what went wrong. */
async function* loginAndErrors(page: Page): AsyncGenerator<string> {
  yield* openEach(
    page,
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((state) => `/auth/login?state=${state}`),
  );
  await page.getByText('Language: English').click();
  await page.getByRole('button', { name: 'Deutsch' }).waitFor();
  yield 'the open menu of languages';
  yield* openEach(page, ['/nothing/here', '/auth/reset-password?token=expired']);

  // A form on another site. The server refuses it.
  await page.goto('about:blank');
  await page.setContent(`<form method="post" action="${site.origin}/auth/token"><button>Send</button></form>`);
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'Forbidden' }).waitFor();
  yield '403';

  const failing = mock.method(site.janua.services.access, 'requireSignedIn', () => Promise.reject(new Error('broken')));
  await page.goto('/admin/me');
  failing.mock.restore();
  await page.getByText('Request id:').waitFor();
  yield '500';
}

/** The pages that lead to an account, or back to it. */
async function* signUpAndReset(page: Page, { username, newcomer }: Person): AsyncGenerator<string> {
  yield* openEach(page, ['/demo/mail', '/auth/sign-up']);
  await submit(page, 'Send link', { Email: newcomer });
  await page.getByText('Check your mail.').waitFor();
  yield address(page);
  await openMail(site, page, newcomer);
  await page.getByRole('heading', { name: 'Finish your account' }).waitFor();
  yield 'the end of the sign-up';
  await submit(page, 'Create account', { 'First name': 'Zoë', 'Last name': ' ', Password: password });
  await page.getByText('Required').waitFor();
  yield 'the end of the sign-up, with an error';

  yield* openEach(page, ['/auth/forgot-password']);
  await submit(page, 'Send link', { Email: username });
  await page.getByText('Check your mail.').waitFor();
  yield address(page);
  await openMail(site, page, username);
  await page.getByRole('heading', { name: 'Choose a new password' }).waitFor();
  yield 'the new password';
  await submit(page, 'Set password', { 'New password': 'too short' });
  await page.getByText('Too short').waitFor();
  yield 'the new password, with an error';
  yield* openEach(page, ['/demo/mail']);
}

/** The pages of a signed-in user. */
async function* homeAndAccount(page: Page, { username, newcomer }: Person): AsyncGenerator<string> {
  await signIn(page, username);
  yield address(page);
  await page.goto('/admin/me');
  yield address(page);
  await page.getByRole('button', { name: 'My Info as JSON' }).click();
  await page.getByRole('region', { name: 'My Info as JSON' }).waitFor();
  yield 'the open panel';
  yield* openEach(page, ['/account', '/account?state=1', '/account/profile', '/account/password']);
  yield* openEach(page, ['/account/applications?state=revoked']);
  yield* openEach(page, [
    '/account/sessions?state=1',
    '/account/sign-in-methods?state=linked',
    '/account/delete',
    '/auth/confirm',
    '/account/email',
  ]);
  await submit(page, 'Send link', { 'New email': 'ann@1' });
  await page.getByText('Not an email address').waitFor();
  yield 'the new address, with an error';
  await submit(page, 'Send link', { 'New email': newcomer });
  await page.getByText('We have sent a link to the new address.').waitFor();
  await openMail(site, page, newcomer);
  await page.getByRole('heading', { name: 'Confirm your new address' }).waitFor();
  yield 'the link to the new address';
}

/** The pages that add the first factor by a link. */
async function* enrolment(page: Page, { newcomer: username }: Person): AsyncGenerator<string> {
  await site.janua.people.add({ ...ann, username, password });
  const account = await site.janua.account(username);
  yield* openEach(page, ['/auth/enrol-factor?state=1']);
  yield* openEach(page, [await site.janua.services.createEnrolmentLink(provedBy(account))]);
  await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
  const secret = (await page.locator('code').textContent()) ?? '';
  yield 'the QR code of the link';
  await submit(page, 'Confirm', { Code: '000000' });
  await page.getByText('This code is not valid').waitFor();
  yield 'the link, with an error';
  await submit(page, 'Confirm', { Code: codeOf(secret, Date.now()) });
  await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
  yield 'the recovery codes of the link';
}

/** The pages of second factors, with a passkey and an authenticator app. */
async function* secondFactors(page: Page, { newcomer: username }: Person): AsyncGenerator<string> {
  await site.janua.people.add({ ...ann, username, password });
  await addAuthenticator(page);
  await signIn(page, username);
  yield* openEach(page, ['/account/security']);
  await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
  const secret = (await page.locator('code').textContent()) ?? '';
  yield 'the QR code';
  await submit(page, 'Confirm', { Code: '000000' });
  await page.getByText('This code is not valid').waitFor();
  yield 'the new authenticator app, with an error';
  await submit(page, 'Confirm', { Code: codeOf(secret, Date.now()) });
  await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
  const codes = (await page.locator('.codes').textContent())?.split('\n') ?? [];
  yield 'the recovery codes';

  await page.getByRole('link', { name: 'I have saved the codes' }).click();
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByText(/^Passkey added: Passkey \(Chrome on/).waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await sendLogin(page, { username });
  await page.getByRole('button', { name: 'Use passkey' }).waitFor();
  yield 'the second step, by passkey';
  await page.getByRole('link', { name: 'Use the authenticator app' }).click();
  yield address(page);
  await page.getByRole('link', { name: 'Use a recovery code' }).click();
  await submit(page, 'Continue', { 'Recovery code': 'wrong' });
  await page.getByText('This code is not valid').waitFor();
  yield 'the second step, with an error';
  await page.getByLabel('Don’t ask again').check();
  await submit(page, 'Continue', { 'Recovery code': codes[0] ?? '' });
  await page.getByText('9 codes are left').waitFor();
  yield 'the page after a recovery code';
  yield* openEach(page, ['/account', '/auth/confirm', '/account/security']);
  for (const summary of await page.getByText('Change', { exact: true }).all()) await summary.click();
  yield 'everything that can be changed';
}

/** The pages of clients and resources. */
async function* clients(page: Page, { username }: Person): AsyncGenerator<string> {
  const { administration, clientAdministration } = site.janua.services;
  await administration.changeGroups(username, { add: ['admins'] });
  const uri = `https://${username.replace(/\W/g, '-')}.example.com`;
  await clientAdministration.addResource({ uri, scopes: ['files:read'], tokenFormat: 'opaque' });
  await signIn(page, username);
  await page.goto('/admin/clients/add');
  await submit(page, 'Add', { 'Name, as users see it': 'Wiki', 'Redirect addresses': 'ftp://wiki.example.com' });
  await page.getByText('Each address begins with').waitFor();
  yield 'a client that is refused';
  await submit(page, 'Add', { 'Redirect addresses': 'https://wiki.example.com/callback' });
  await page.getByText('Wiki was added.').waitFor();
  yield 'a client that was added';
  const here = await page.getByRole('link', { name: 'Show the client' }).getAttribute('href');
  const pages = [
    '?state=changed',
    '/change',
    '/picture',
    '/add-secret',
    '/remove-secret?name=first',
    '/rotate-secret',
    '/remove',
  ].map((end) => `${here}${end}`);
  yield* openEach(page, [...pages, '/admin/clients?state=removed', '/admin/resources?state=added']);
  await page.goto(`${here}/claims`);
  const rows = {
    Claims: `roles=constant:${'w'.repeat(200)}\ndept=claim:department`,
    'Show what it learns of': username,
  };
  await submit(page, 'Preview', rows);
  await page.getByRole('heading', { name: 'What Wiki learns of' }).waitFor();
  yield 'the preview of the claims';
  await submit(page, 'Save', { Claims: 'sub=id' });
  await page.getByText('sub belongs to a protocol').waitFor();
  yield 'claims that are refused';
  await submit(page, 'Save', rows);
  await page.getByText('Source: claim:department').waitFor();
  yield 'a client with claims';
  await clientAdministration.changeClient(here?.split('/').at(-1) ?? '', { pkce: 'optional' });
  const ofResource = (name: string) => `/admin/resources/${name}?uri=${encodeURIComponent(uri)}`;
  yield* openEach(page, [`${here}`, ofResource('exchange'), ofResource('secret')]);
  await page.getByRole('button', { name: 'New secret' }).click();
  await page.getByText('It is shown only now.').waitFor();
  yield 'the secret of a resource';
}

/** The pages between an application, or a device, and what it gets. */
async function* provider(page: Page, { username }: Person): AsyncGenerator<string> {
  const redirectUri = 'http://127.0.0.1:8000/callback';
  const { client, secret } = await site.janua.services.clientAdministration.addClient({
    ...defaultSettings,
    ...{ name: 'W'.repeat(100), redirectUris: [redirectUri], device: true, isPublic: false },
  });
  const scope = 'openid profile email groups offline_access';
  const challenge = 'x'.repeat(43);
  const asked = new URLSearchParams({
    ...{ client_id: client.id, redirect_uri: redirectUri, response_type: 'code', scope },
    ...{ code_challenge: challenge, code_challenge_method: 'S256' },
  });
  await signIn(page, username);
  yield* openEach(page, [
    `/oidc/auth?${asked}&prompt=select_account`,
    `/oidc/auth?${asked}`,
    '/oidc/device',
    '/oidc/device?user_code=AAAA-BBBB',
  ]);
  const begun = await fetch(`${site.origin}/oidc/device-authorization`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client.id}:${secret}`)}` },
    body: new URLSearchParams({ scope }),
  });
  const { user_code: code }: { user_code: string } = JSON.parse(await begun.text());
  yield* openEach(page, [`/oidc/device?user_code=${code}`]);
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('The device is signed in.').waitFor();
  yield 'the device that is signed in';
  yield* openEach(page, ['/account/applications', `/oidc/logout?client_id=${client.id}`, '/oidc/auth']);

  // The page leads on at once. Here it stays.
  await page.route('/oidc/auth', async (route) => {
    const response = await route.fetch();
    const { refresh, ...headers } = response.headers();
    await route.fulfill({ response, headers });
  });
  await page.goto('about:blank');
  await page.setContent(`<form method="post" action="${site.origin}/oidc/auth"><button>Send</button></form>`);
  await page.getByRole('button').click();
  await page.getByRole('heading', { name: 'Continue to' }).waitFor();
  await page.waitForLoadState();
  yield 'the page that leads on';
}

/** The pages of administrators about users and groups. */
async function* usersAndGroups(page: Page, { username }: Person): AsyncGenerator<string> {
  const { administration, groups, users } = site.janua.services;
  await administration.changeGroups(username, { add: ['admins'] });
  await groups.add({ name: 'g'.repeat(63), description: 'W'.repeat(100), scopes: [] });
  await administration.setGroupClaims('g'.repeat(63), () => ({ department: 'w'.repeat(500) }));
  await signIn(page, username);
  yield* openEach(page, [
    '/admin/users',
    '/admin/users/add',
    '/admin/users/import',
    '/admin/users/imports',
    '/admin/users/invite-links',
    '/admin/groups',
  ]);
  const { user } = (await users.findByUsername(username)) ?? {};
  await administration.setClaims(username, () => ({ 'a:very/long.name': 'w'.repeat(500), list: ['a', 'b'] }));
  const actions = ['', '/disable', '/groups', '/claims', '/remove-factors'];
  yield* openEach(
    page,
    actions.map((action) => `/admin/users/${user?.id}${action}`),
  );
}

/** The other pages of administrators, with something on them. */
async function* administration(page: Page, { username }: Person): AsyncGenerator<string> {
  await site.janua.services.administration.changeGroups(username, { add: ['admins'] });
  await signIn(page, username);
  const pages = ['/mail', '/settings', '/audit', '/throttle', '?range=30d', ''];
  yield* openEach(
    page,
    pages.map((end) => `/admin${end}`),
  );
  await page.getByText('As a table').first().click();
  yield 'the table of a chart';
}

/** The pages that another host shows under its own address, as its proxy gets them. */
async function* shownElsewhere(page: Page, { username }: Person): AsyncGenerator<string> {
  const login = await site.janua.post('/api/login', { username, password });
  const authorization = `Bearer ${login.json().access_token}`;
  for (const [uri, more] of [
    ['/?janua-ticket=1', {}],
    ['/', { authorization }],
  ] as const) {
    const asked = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'wiki.example.com', 'x-forwarded-uri': uri };
    await page.setExtraHTTPHeaders({ ...asked, ...more });
    await page.goto('/auth/verify');
    assert.equal(await page.getByText('Request id').count(), 1);
    yield `the page at https://wiki.example.com${uri}`;
  }
}

const groups = Object.entries<Pages>({
  'the login page and pages about errors': loginAndErrors,
  'the pages of sign-up and reset': signUpAndReset,
  'home and the pages of an account': homeAndAccount,
  'the pages of second factors': secondFactors,
  'the pages of a link to the first factor': enrolment,
  'the pages of administrators about users and groups': usersAndGroups,
  'the other pages of administrators': administration,
  'the pages of clients': clients,
  'the pages of the provider': provider,
  'the pages that another host shows': shownElsewhere,
});

const expected = /status of (400|403|404|410|422|500)/;

/** On both sides of each width at which Pico or our own style changes the page. */
const widths = [320, 360, 480, 575, 576, 640, 768, 800, 992, 1030, 1280, 1400];

const narrow = { width: 320, height: 568 };
const wide = { width: 1280, height: 720 };

/**
 * The dark scheme changes only colors, and the width only how a label stands to its value: the second look is for the rules that
 * depend on colors.
 */
const colorRules = ['color-contrast', 'link-in-text-block'];
const looks = [
  { colorScheme: 'light', size: narrow, rules: wcag22aa },
  { colorScheme: 'dark', size: wide, rules: isLong ? wcag22aa : colorRules },
  ...(isLong
    ? ([
        { colorScheme: 'light', size: wide, rules: wcag22aa },
        { colorScheme: 'dark', size: narrow, rules: wcag22aa },
      ] as const)
    : []),
] as const;

/** The markup of pages that broke no rule. Another text breaks none either. */
const checked = new Set<string>();

for (const [name, pages] of groups) {
  site.test(
    `${name} break no rule of WCAG 2.2 AA, with the longest names fit any screen and keep off its edges, and a thumb hits every control`,
    async ({ page }) => {
      const letters = 'w'.repeat(200);
      const username = `${letters}-${pages.name}@example.com`;
      const newcomer = `${letters}-new-${pages.name}@example.com`;
      const longest = 'W'.repeat(100);
      await site.janua.services.administration.add({ username, firstName: longest, lastName: longest, password });
      for await (const opened of pages(page, { username, newcomer })) {
        assert.match(await page.title(), /^Janua \S/, opened);
        const { headings, hidden, low, markup } = await page.evaluate<Look>(look);
        assert.deepEqual({ headings, hidden, low }, { headings: 1, hidden: 0, low: [] }, opened);
        if (checked.has(markup)) continue;
        for (const { colorScheme, size, rules } of looks) {
          await page.emulateMedia({ colorScheme });
          await page.setViewportSize(size);
          assert.deepEqual(await violations(page, rules), [], `${opened}, ${colorScheme}, ${size.width}`);
        }
        const faults: string[] = [];
        for (const width of widths) {
          await page.setViewportSize({ width, height: 720 });
          faults.push(...(await page.evaluate<string[]>(findOutside)).map((fault) => `${width}: ${fault}`));
        }
        assert.deepEqual(faults, [], opened);
        await page.setViewportSize(narrow);
        checked.add(markup);
      }
    },
    { expected, viewport: narrow, reducedMotion: 'reduce', changesPage: true },
  );
}

interface Look {
  readonly headings: number;
  /** How far the page scrolls sideways (WCAG 1.4.10). */
  readonly hidden: number;
  /** The visible controls that are less than 44 pixels high. A click on its label ticks a checkbox. */
  readonly low: readonly string[];
  /** Without texts, addresses and values. */
  readonly markup: string;
}

/**
 * Runs in the page. Gives how far the page scrolls sideways, and what lies less than 8 pixels from an edge of the screen. A table, a
 * menu that scroll by themselves, and a cell that is cut off, count as one box.
 */
const findOutside = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  const isOutside = ({ left, right }) => left < 8 || right > clientWidth - 8;
  const outside = [...document.querySelectorAll('body > * :not(wbr)')].filter(
    (part) => !part.parentElement.closest('.table, .tabs, .events td') && part.checkVisibility() &&
      isOutside(part.getBoundingClientRect()),
  );
  return [
    ...(scrollWidth > clientWidth ? ['scrolls by ' + (scrollWidth - clientWidth)] : []),
    ...outside.slice(0, 3).map((part) => part.outerHTML.slice(0, 80)),
  ];
})()`;

/** Runs in the page. */
const look = `({
  headings: document.querySelectorAll('h1').length,
  hidden: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  low: [...document.querySelectorAll('a, button, input, summary')]
    .map((control) => (control.type === 'checkbox' ? control.closest('label') : control))
    .filter((control) => control.checkVisibility() && Math.round(control.getBoundingClientRect().height) < 44)
    .map((control) => control.outerHTML),
  markup: document.body.outerHTML.replace(/>\\s*[^<\\s][^<]*/g, '>x').replace(/(href|action|value|datetime)="[^"]+"/g, '$1'),
})`;
