import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { ann, password, startJanua, type TestJanua, type TestOptions } from '../janua.ts';
import { findChromium } from './chromium.ts';
import { launchOptions, sharedBrowserVariable } from './launch.ts';

/** Connects to the browser that the whole run shares, or starts one. @throws when there is no Chromium */
export async function openBrowser(): Promise<Browser> {
  const shared = process.env[sharedBrowserVariable];
  return shared ? chromium.connect(shared) : chromium.launch(launchOptions());
}

/** For `skip`: the reason to skip a test that needs a browser, or false. CI skips none. */
export const noBrowser =
  findChromium() === undefined && process.env.CI !== 'true' && 'no Chromium was found; CHROMIUM_PATH names one';

export interface VisitOptions extends BrowserContextOptions {
  /** Messages that the console may show, such as a 404 for the page. Any other message fails the test. */
  readonly expected?: RegExp;
  /** Origins, besides our own, that the browser may send requests to. */
  readonly otherOrigins?: () => string[];
  /** The test changes its page by more than cookies and routes, for example its clock. No other test gets the page. */
  readonly changesPage?: boolean;
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
}

/** One server and one browser for the tests of a file. */
export interface Site {
  readonly janua: TestJanua;
  /** Where the server listens. */
  readonly origin: string;
  /**
   * A test in a page without cookies. A test with the same options had the page before. It also fails when a script fails, the console
   * shows an error or a warning, the content security policy stops something, or a request leaves our origin.
   */
  test(name: string, visit: (visit: Visit) => Promise<void>, options?: VisitOptions): void;
}

/** Starts a server and a browser before the tests of the calling file, and stops both after them. */
export function openSite(options: TestOptions = {}): Site {
  const resources = new AsyncDisposableStack();
  let janua: TestJanua;
  let origin: string;
  let browser: Browser;
  /** Pages that wait for the next test with the same options. A new one takes as long as a short test. */
  const kept = new Map<string, WatchedPage>();

  before(async () => {
    if (noBrowser) return;
    // A link in a mail leads to the origin that the settings name: this machine, at the port where the app listens.
    janua = resources.use(await startJanua({ ...options, settings: { PORT: 0, ...options.settings } }));
    origin = await janua.listen();
    browser = resources.adopt(await openBrowser(), (launched) => launched.close());
  });
  after(() => resources.disposeAsync());

  return {
    get janua() {
      return janua;
    },
    get origin() {
      return origin;
    },
    test(name, visit, { expected, otherOrigins = () => [], changesPage = false, ...options } = {}) {
      test(name, { skip: noBrowser, timeout: 120_000 }, async () => {
        const key = JSON.stringify(options);
        const watched = kept.get(key) ?? (await openPage(browser, { baseURL: origin, ...options }));
        kept.delete(key);
        const { page, context, complaints } = watched;
        watched.origins = [origin, ...otherOrigins()];
        await visit({ page, context });
        assert.deepEqual(
          complaints.filter((text) => !expected?.test(text)),
          [],
        );
        if (changesPage) {
          await context.close();
          return;
        }
        for (const other of context.pages().filter((other) => other !== page)) await other.close();
        await page.unrouteAll();
        await context.clearCookies();
        complaints.length = 0;
        kept.set(key, watched);
      });
    },
  };
}

interface WatchedPage extends Visit {
  readonly complaints: string[];
  origins: readonly string[];
}

/** Opens a page, and notes its errors, warnings and foreign requests. */
async function openPage(browser: Browser, options: BrowserContextOptions): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(60_000);
  const complaints: string[] = [];
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.location().url} ${message.text()}`);
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('request', (request) => {
    const { protocol, origin } = new URL(request.url());
    if (/^https?:$/.test(protocol) && !watched.origins.includes(origin))
      complaints.push(`left the origin: ${request.url()}`);
  });
  await context.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => console.error('policy:', event.violatedDirective, event.blockedURI))",
  );
  const watched: WatchedPage = { page: await context.newPage(), context, complaints, origins: [] };
  return watched;
}

/** Fills in the open login page, and sends it. */
export async function sendLogin(page: Page, credentials: { username?: string; password?: string } = {}): Promise<void> {
  await page.getByLabel('Username').fill(credentials.username ?? ann.username);
  await page.getByLabel('Password').fill(credentials.password ?? password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** Signs a user in on the login page, Ann by default, and waits for the home page. */
export async function signIn(page: Page, username?: string): Promise<void> {
  await page.goto('/auth/login');
  await sendLogin(page, username === undefined ? {} : { username });
  await page.waitForURL('/auth/home');
}

/** Opens the newest mail to an address in the demo's mailbox, and follows its link. @param to the word before the address */
export async function openMail({ janua }: Site, page: Page, address: string, to = 'To'): Promise<void> {
  await janua.services.mail?.settled();
  await page.goto('/demo/mail');
  const mails = page.getByRole('article').filter({ hasText: `${to} ${address},` });
  await mails.first().getByRole('link').click();
}

/** Fills in fields by their labels, and presses a button. */
export async function submit(page: Page, name: string, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
  await page.getByRole('button', { name, exact: true }).click();
}

/** An authenticator of the browser that answers by itself. With autofill, it would sign in before a test can click. */
export async function addAuthenticator(page: Page): Promise<void> {
  await page.addInitScript('window.PublicKeyCredential.isConditionalMediationAvailable = async () => false');
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true },
    },
  });
}

/** The path and query of the open page. */
export function address(page: Page): string {
  const { pathname, search } = new URL(page.url());
  return pathname + search;
}
