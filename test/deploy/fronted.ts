import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import type { Browser, BrowserContext, BrowserContextOptions, Request } from 'playwright-core';
import { openBrowser, sendLogin } from '../browser/browser.ts';
import { findChromium } from '../browser/chromium.ts';
import { leavingPaths, plainPaths } from '../capabilities/forward-auth/public-paths.ts';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import { ann, password } from '../janua.ts';
import { isLong } from '../long.ts';
import { findProgram } from '../servers/find-program.ts';
import { findFreePort } from '../servers/throw-away-server.ts';
import {
  bea,
  clientAddress,
  type FrontedDeployment,
  type Seen,
  type StandIn,
  startFrontedDeployment,
  startStandIn,
  type Told,
} from './deployment.ts';
import { findWebServer, type WebServerName } from './web-server.ts';

const inCi = process.env.CI === 'true';

/** Tests the files of `deploy/` in a real web server, before Janua and an application. */
export function testFronted(name: WebServerName): void {
  const skip = findWebServer(name) === undefined && !inCi && `no ${name} was found`;
  const skipPages = skip || (findChromium() === undefined && !inCi && 'no Chromium was found');

  describe(`the files of deploy/ in a real ${name}`, { skip }, () => {
    let deployed: FrontedDeployment;
    let browser: Browser | undefined;
    before(async () => {
      deployed = await startFrontedDeployment(name);
      if (!skipPages) browser = await openBrowser();
    });
    after(async () => {
      await browser?.close();
      await deployed[Symbol.asyncDispose]();
    });

    /** Visits pages in a browser that accepts the throw-away certificate. */
    async function inBrowser(
      visit: (context: BrowserContext) => Promise<void>,
      look: BrowserContextOptions = {},
    ): Promise<void> {
      const context = await browser?.newContext({ ignoreHTTPSErrors: true, ...look });
      assert.ok(context);
      context.setDefaultTimeout(60_000);
      try {
        await visit(context);
      } finally {
        await context.close();
      }
    }

    const readEvents = async () => {
      const { stdout } = await deployed.workplace.run(['audit', '--json']);
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line): { kind: string; caller: { address?: string; requestId?: string } } => JSON.parse(line));
    };

    function logIn(path: string, headers: Record<string, string> = {}, username: string = ann.username): Promise<Told> {
      const body = new URLSearchParams({ username, password }).toString();
      const type = { 'content-type': 'application/x-www-form-urlencoded' };
      return deployed.send(deployed.authOrigin + path, { ...type, ...headers }, body);
    }

    /** Gets an access token by a program's login. */
    async function getToken(headers: Record<string, string> = {}, username?: string): Promise<string> {
      const answer = await logIn('/api/login', headers, username);
      assert.equal(answer.status, 200, answer.body);
      return JSON.parse(answer.body).access_token;
    }

    test('a user signs in over HTTPS, and gets a cookie for this host alone', { skip: skipPages }, async () => {
      const { authOrigin } = deployed;
      await inBrowser(async (context) => {
        const page = await context.newPage();
        const answer = await page.goto(authOrigin);
        assert.equal(await answer?.headerValue('strict-transport-security'), 'max-age=31536000; includeSubDomains');
        await sendLogin(page);
        await page.waitForURL(`${authOrigin}/auth/home`);
        const cookie = (await context.cookies()).find((one) => one.name === '__Host-session');
        assert.deepEqual(
          [cookie?.secure, cookie?.httpOnly, cookie?.sameSite, cookie?.path, cookie?.domain, cookie?.expires],
          [true, true, 'Lax', '/', 'localhost', -1],
        );
        await page.getByRole('button', { name: 'Log out' }).click();
        await page.getByText('You are logged out.').waitFor();
      });
    });

    test('Janua counts the client address that the web server saw, whatever the client claims', async () => {
      const forged = {
        'x-forwarded-for': '203.0.113.7, 127.0.0.1',
        'x-real-ip': '203.0.113.7',
        forwarded: 'for=203.0.113.7',
      };
      await getToken(forged);
      const events = await readEvents();
      const logins = events.filter(({ kind }) => kind === 'login-succeeded');
      assert.equal(logins.at(-1)?.caller.address, clientAddress);
      assert.ok(!JSON.stringify(events.map(({ caller }) => caller.address)).includes('203.0.113'));
    });

    test('a browser is redirected to the login with the longest path that the login leads back to', async () => {
      const path = `/account?${'a=&'.repeat(927)}`;
      const { status, headers } = await deployed.send(deployed.authOrigin + path, { accept: 'text/html' });
      assert.deepEqual([status, headers.location], [303, `/auth/login?state=2&next=${encodeURIComponent(path)}`]);
    });

    test('certbot can prove the name over plain HTTP, with files that it puts there', {
      skip: name !== 'nginx',
    }, async () => {
      const { webServer, plainPort } = deployed;
      const folder = join(webServer.folder, '.well-known', 'acme-challenge');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'token'), 'proof');
      const askFor = (path: string) => fetch(`http://localhost:${plainPort}${path}`, { redirect: 'manual' });
      assert.equal(await (await askFor('/.well-known/acme-challenge/token')).text(), 'proof');
      assert.equal((await askFor('/.well-known/other')).status, 308);
    });

    test('a request id comes from the web server, never from the client', async () => {
      const { authOrigin, send } = deployed;
      const { headers } = await send(`${authOrigin}/api/me`, { 'x-request-id': 'made-up-by-a-client' });
      const id = String(headers['x-request-id']);
      assert.match(id, name === 'nginx' ? /^[\da-f]{32}$/ : /^[\da-f-]{36}$/);
      assert.ok((await readEvents()).some(({ caller }) => caller.requestId === id));
    });

    test('no log and no Referer gets the token of a link that is opened, used, or not answered', {
      skip: skipPages,
    }, async () => {
      const { workplace, authOrigin, appOrigin, wikiOrigin, plainPort, webServer, send, startWikiServer } = deployed;
      const user = 'bob@example.com';
      await workplace.run(['users', 'add', user, '--first-name', 'Bob', '--last-name', 'Baker'], { input: password });
      const env = { PUBLIC_URL: authOrigin };
      const { stdout } = await workplace.run(['users', 'enrolment-link', user], { env });
      const link = stdout.trim();
      const [path = '', token = ''] = link.slice(authOrigin.length).split('?token=');
      assert.match(token, /^[\w-]{43}$/);
      await inBrowser(async (context) => {
        const page = await context.newPage();
        const requests: Request[] = [];
        page.on('request', (request) => requests.push(request));
        await page.goto(link.replace(authOrigin, `http://localhost:${plainPort}`));
        await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
        const secret = (await page.locator('code').textContent()) ?? '';
        await page.getByLabel('Code').fill(codeOf(secret, Date.now()));
        await page.getByRole('button', { name: 'Confirm' }).click();
        await page.getByRole('heading', { name: 'Recovery codes' }).waitFor();
        const referers = await Promise.all(requests.map((request) => request.headerValue('referer')));
        assert.deepEqual([...new Set(referers)].sort(), [`${authOrigin}/`, null]);
      });
      const headers = { referer: link };
      await send(link, headers);
      await send(`${appOrigin}${path}?token=${token}`, headers);
      assert.equal((await send(link, headers, ' '.repeat(65_537))).status, 413);
      await using alone = await startWikiServer(await findFreePort());
      const unanswered = link.replace(new URL(authOrigin).host, `localhost:${new URL(wikiOrigin).port}`);
      assert.equal((await send(unanswered, headers)).status, 502);
      for (const [{ readOutput }, last] of [
        [webServer, '413'],
        [alone, '502'],
      ] as const) {
        let log = '';
        // The web server answers first.
        while (!log.split('\n').some((line) => line.includes(path) && line.includes(last))) {
          await setTimeout(20);
          log = await readOutput();
        }
        assert.ok(!log.includes(token), log);
      }
    });

    test('a sibling host cannot plant a session: an extra byte before or after the name makes another cookie', async () => {
      const { authOrigin, send } = deployed;
      const [cookie = ''] = (await logIn('/auth/token')).headers['set-cookie'] ?? [];
      const [, value = ''] = /^__Host-session=([^;]+)/.exec(cookie) ?? [];
      const statusWith = async (sent: string) => (await send(`${authOrigin}/admin/me`, { cookie: sent })).status;
      assert.equal(await statusWith(`__Host-session=${value}`), 200);
      for (const odd of ['\u00a0', '\u0085', '\u00ff', '"', '.']) {
        assert.equal(await statusWith(`${odd}__Host-session=${value}`), 303, JSON.stringify(odd));
        assert.equal(await statusWith(`__Host-session${odd}=${value}`), 303, JSON.stringify(odd));
      }
    });

    test('no old cipher suite is offered with TLS 1.2', async () => {
      const { authOrigin, certificate } = deployed;
      const ca = await readFile(certificate.certificate);
      async function agrees(ciphers: string): Promise<boolean> {
        const place = { host: '127.0.0.1', port: Number(new URL(authOrigin).port), servername: 'localhost', ca };
        const socket = connect({ ...place, maxVersion: 'TLSv1.2', ciphers });
        try {
          await once(socket, 'secureConnect');
          return true;
        } catch {
          return false;
        } finally {
          socket.destroy();
        }
      }
      assert.equal(await agrees('ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256'), true);
      for (const old of [
        'AES128-GCM-SHA256:AES256-GCM-SHA384',
        'AES128-SHA',
        'ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA',
      ])
        assert.equal(await agrees(`${old}:@SECLEVEL=0`), false, old);
    });

    test('janua selftest finds nothing wrong', async () => {
      const { workplace, authOrigin, certificate, plainPort } = deployed;
      const args = ['selftest', '--against', authOrigin, '--ca', certificate.certificate, '--user', ann.username];
      const { stdout } = await workplace.run([...args, '--http-port', String(plainPort)], { input: password });
      assert.doesNotMatch(stdout, /^wrong/m);
      assert.match(stdout, /A page requested by plain HTTP redirects to/);
      assert.match(stdout, /The server refuses a login by plain HTTP/);
      assert.deepEqual(
        stdout.match(/^warning.*/gm)?.map((line) => line.slice(0, 20)),
        ['warning  throttle   '],
      );
    });

    test('the web server passes each login on once, and refuses a body that is too large', async () => {
      const { authOrigin, send } = deployed;
      const before = (await readEvents()).filter(({ kind }) => kind === 'login-succeeded').length;
      await Promise.all(Array.from({ length: 8 }, () => getToken()));
      const after = (await readEvents()).filter(({ kind }) => kind === 'login-succeeded').length;
      assert.equal(after - before, 8);
      // The web server itself refuses it. Janua would answer before the body ends, which a proxy may take for a fault.
      const post = async (size: number) =>
        send(`${authOrigin}/api/login`, { 'content-type': 'application/json' }, ' '.repeat(size));
      const large = await Promise.all(Array.from({ length: 20 }, () => post(65_537)));
      assert.deepEqual([...new Set(large.map(({ status }) => status))], [413]);
      const largest = await post(65_536);
      assert.equal(largest.status, 400);
      assert.equal(JSON.parse(largest.body).status, 400);
    });

    describe('an application behind Janua', () => {
      const shown = (text: string | null): Seen => JSON.parse(text ?? '');
      /** The headers that name the user to the application, with their names as an application may read them. */
      const told = ({ headers }: Seen) =>
        headers
          .map(([header, value]) => `${header.toLowerCase().replaceAll(/[^a-z]/g, '-')}: ${value}`)
          .filter((header) => header.startsWith('remote'))
          .sort();
      const asAnn = [
        'remote-department: Forschung ß',
        `remote-email: ${ann.username}`,
        'remote-groups: staff',
        'remote-name: Ann Ärcher',
        `remote-user: ${ann.username}`,
      ];

      const navigating = { 'sec-fetch-mode': 'navigate', accept: 'text/html' };
      /** The cookies that an answer sets, as the next request sends them. */
      const kept = ({ headers }: Told) => (headers['set-cookie'] ?? []).map((one) => one.split(';', 1)[0]).join('; ');

      /** Gets a cookie of an application, such as of another one that has its own proxy and the same Janua. */
      async function getCookieOf(origin: string): Promise<string> {
        const { askAsProxy, send } = deployed;
        const session = kept(await logIn('/auth/token'));
        const said = { 'x-forwarded-proto': 'https', 'x-forwarded-host': new URL(origin).host };
        const verify = (uri: string, headers: Record<string, string>) =>
          askAsProxy('/auth/verify', { ...said, 'x-forwarded-uri': uri, ...headers });
        const way = await verify('/x', navigating);
        const back = await send(String(way.headers.location), { ...navigating, cookie: session });
        const uri = String(back.headers.location).slice(origin.length);
        const arrived = await verify(uri, { ...navigating, cookie: kept(way) });
        const cookie = kept(arrived);
        assert.equal((await verify('/x', { cookie })).status, 200);
        return cookie;
      }

      test('redirects the first visit to the login, and back to the same address', { skip: skipPages }, async () => {
        const { authOrigin, appOrigin } = deployed;
        await inBrowser(async (context) => {
          const page = await context.newPage();
          const address = `${appOrigin}/reports/1?year=2026&q=a%20b%2Fc`;
          await page.goto(address);
          assert.ok(page.url().startsWith(`${authOrigin}/auth/login?next=`), page.url());
          await sendLogin(page, { password: 'wrong' });
          await page.getByText('Incorrect username or password').waitFor();
          await sendLogin(page);
          await page.waitForURL(address);
          const seen = shown(await page.locator('body').textContent());
          assert.equal(seen.url, '/reports/1?year=2026&q=a%20b%2Fc');
          assert.deepEqual(told(seen), asAnn);
          const cookie = (await context.cookies(appOrigin)).find((one) => one.name === '__Host-janua');
          assert.deepEqual(
            [cookie?.secure, cookie?.httpOnly, cookie?.sameSite, cookie?.domain, cookie?.expires],
            [true, true, 'Lax', 'app.localhost', -1],
          );
          assert.ok(
            !seen.headers.some(([, value]) => value.includes('__Host-session')),
            'the application does not see the session cookie',
          );

          // The next visit needs no login, and scripts of the page get through as well.
          await page.goto(`${appOrigin}/other`);
          assert.equal(page.url(), `${appOrigin}/other`);
          assert.equal(await page.evaluate("fetch('/data').then((answer) => answer.status)"), 200);

          await page.goto(`${authOrigin}/auth/home`);
          await page.getByRole('button', { name: 'Log out' }).click();
          await page.getByText('You are logged out.').waitFor();
          await page.goto(`${appOrigin}/public/`);
          assert.equal(await page.evaluate("fetch('/data').then((answer) => answer.status)"), 401);
          await page.goto(`${appOrigin}/other`);
          assert.ok(page.url().startsWith(`${authOrigin}/auth/login?next=`), page.url());
        });
      });

      test('lets in a user who is already signed in with Janua, without a password', { skip: skipPages }, async () => {
        const { authOrigin, appOrigin, seen } = deployed;
        await inBrowser(async (context) => {
          const page = await context.newPage();
          await page.goto(authOrigin);
          await sendLogin(page);
          await page.waitForURL(`${authOrigin}/auth/home`);
          await page.goto(`${appOrigin}/a?b=c`);
          assert.equal(page.url(), `${appOrigin}/a?b=c`);
          assert.deepEqual(told(shown(await page.locator('body').textContent())), asAnn);
          // A form cannot be sent again after the session has ended: the user gets to the start page.
          await context.clearCookies({ name: '__Host-janua' });
          await page.setContent(`<form method="post" action="${appOrigin}/save"><button>Save</button></form>`);
          await page.getByRole('button', { name: 'Save' }).click();
          await page.waitForURL(`${appOrigin}/`);
        });
        assert.ok(!seen.some(({ url }) => url.includes('janua-ticket')), 'no ticket reaches the application');
        assert.ok(!seen.some(({ method }) => method === 'POST'));
      });

      for (const [javaScriptEnabled, width] of [
        [true, 1280],
        [false, 375],
        ...(isLong
          ? ([
              [true, 375],
              [false, 1280],
            ] as const)
          : []),
      ] as const)
        test(`shows the page of Janua to a user whom no group lets in, and leads to another account: ${width} pixels, scripts ${javaScriptEnabled ? 'on' : 'off'}`, {
          skip: skipPages,
        }, async () => {
          const { authOrigin, appOrigin, seen } = deployed;
          const before = seen.length;
          const look = { javaScriptEnabled, viewport: { width, height: 720 } };
          await inBrowser(async (context) => {
            const page = await context.newPage();
            const complaints: string[] = [];
            page.on('console', (message) => complaints.push(message.text()));
            const address = `${appOrigin}/bosses/1?a=b`;
            await page.goto(address);
            await sendLogin(page);
            await page.getByRole('heading', { name: 'None of your groups may open this' }).waitFor();
            const shownIn = new URL(page.url());
            assert.equal(shownIn.origin + shownIn.pathname, `${appOrigin}/bosses/1`);
            await page.getByText(`You opened ${shownIn.host} as ${ann.username}.`).waitFor();
            const card = (await page.getByRole('article').boundingBox()) ?? { x: 0, width: 0 };
            assert.ok(card.x >= 16 && card.x + card.width <= width - 16 && card.width <= 36 * 16, JSON.stringify(card));
            assert.deepEqual(
              // The test may type before the browser gives a field the focus.
              complaints.filter((text) => !/status of 403|Autofocus processing was blocked/.test(text)),
              [],
            );
            assert.equal(
              await page.getByRole('link', { name: 'Go to the home page' }).getAttribute('href'),
              `${authOrigin}/auth/home`,
            );
            assert.ok(!seen.slice(before).some(({ url }) => url.startsWith('/bosses')));
            await page.getByRole('link', { name: 'Use another account' }).click();
            await page.getByText(`to continue to ${shownIn.host}`).waitFor();
            await sendLogin(page, { username: bea });
            await page.waitForURL(address);
            assert.ok(told(shown(await page.locator('body').textContent())).includes(`remote-user: ${bea}`));
          }, look);
        });

      test('gives a program that no group lets in the refusal in JSON', async () => {
        const { appOrigin, send, seen } = deployed;
        const authorization = `Bearer ${await getToken()}`;
        const before = seen.length;
        for (const body of [undefined, 'a=b']) {
          const refused = await send(`${appOrigin}/bosses`, { authorization }, body);
          assert.deepEqual(
            [refused.status, JSON.parse(refused.body).detail],
            [403, 'None of your groups may open this'],
          );
        }
        assert.equal(seen.length, before);
      });

      // Caddy has no such word.
      if (name === 'nginx')
        test('keeps a `deny` of its operator, and leads no user in circles', async () => {
          const { appOrigin, send } = deployed;
          const authorization = `Bearer ${await getToken()}`;
          for (const headers of [{}, { ...navigating, authorization }])
            assert.equal((await send(`${appOrigin}/denied`, headers)).status, 403);
        });

      test('shows an error page to a browser that keeps no cookies of the application', async () => {
        const { appOrigin, send } = deployed;
        const cookie = kept(await logIn('/auth/token'));
        const way = await send(`${appOrigin}/a?b=c`, navigating);
        assert.equal(way.status, 303);
        const back = await send(String(way.headers.location), { ...navigating, cookie });
        assert.equal(back.status, 303);
        const end = await send(String(back.headers.location), navigating);
        assert.equal(end.status, 400);
        assert.match(end.body, /You could not be signed in here/);
        assert.ok(end.body.includes(`href="${appOrigin}/a?b=c"`));
      });

      test('refuses a program without a token, and never sees the token of a program that is let in', async () => {
        const { appOrigin, send, seen } = deployed;
        const before = seen.length;
        const refused = await send(`${appOrigin}/data`);
        assert.equal(refused.status, 401);
        assert.equal(refused.headers['www-authenticate'], 'Bearer realm="janua"');
        assert.equal(JSON.parse(refused.body).detail, 'Not authenticated');
        assert.equal((await send(`${appOrigin}/data`, {}, 'a=b')).status, 401);
        const wrong = await send(`${appOrigin}/data`, { authorization: 'Bearer x' });
        assert.match(String(wrong.headers['www-authenticate']), /error="invalid_token"/);
        const asked = await send(`${appOrigin}/data`, { 'x-expected-format': 'application/json', accept: 'text/html' });
        assert.equal(asked.status, 401);
        assert.equal(seen.length, before);

        const token = await getToken();
        const posted = await send(`${appOrigin}/data`, { authorization: `Bearer ${token}` }, 'a=b');
        assert.equal(posted.status, 200);
        const got = shown(posted.body);
        assert.deepEqual([got.method, got.body], ['POST', 'a=b']);
        assert.deepEqual(told(got), asAnn);
        assert.ok(!posted.body.includes(token));
      });

      test('gets the query string of a request unchanged', async () => {
        const { appOrigin, send } = deployed;
        const authorization = `Bearer ${await getToken()}`;
        for (const path of ['/x?refused', '/x?refused=true&a=b', '/x?a&janua', '/x?to=https://evil.example/&state=0'])
          assert.equal(shown((await send(appOrigin + path, { authorization })).body).url, path);
      });

      // Caddy does so on its own, at port 80.
      if (name === 'nginx')
        test('redirects from plain HTTP to HTTPS', async () => {
          const { appOrigin, plainPort } = deployed;
          const { host } = new URL(appOrigin);
          const sent = get({ port: plainPort, path: '/x?y', headers: { host: host.replace(/:.*/, '') }, agent: false });
          const [answer] = (await once(sent, 'response')) as [IncomingMessage];
          answer.resume();
          assert.equal(answer.statusCode, 308);
          assert.equal(answer.headers.location, `${appOrigin}/x?y`);
        });

      test('can answer 401 itself', async () => {
        const { appOrigin, send } = deployed;
        const authorization = `Bearer ${await getToken()}`;
        const answer = await send(`${appOrigin}/refused`, { authorization });
        assert.equal(answer.status, 401);
        assert.equal(answer.headers['www-authenticate'], 'Basic realm="the application"');
        assert.equal(shown(answer.body).url, '/refused');
        const open = await send(`${appOrigin}/public/x`, { authorization: 'Basic YTpi' });
        assert.ok(
          shown(open.body).headers.some(([header, value]) => /^authorization$/i.test(header) && value === 'Basic YTpi'),
        );
      });

      /** Spellings that some applications read as one of these headers. */
      const spellings = ['Remote-User', 'REMOTE-USER', 'remote-user', 'Remote_User', 'REMOTE_USER', 'remote_Name'];
      const others = [
        'Remote-Name',
        'Remote-Email',
        'Remote_Email',
        'Remote-Groups',
        'Remote_Groups',
        'Remote.User',
        'Remote-Department',
        'Remote_Department',
      ];
      const forged = Object.fromEntries([...spellings, ...others].map((header) => [header, 'admin']));

      test('never gets identity headers from a client, in any spelling', async () => {
        const { appOrigin, send, seen } = deployed;
        const authorization = `Bearer ${await getToken()}`;
        for (const headers of [...Object.entries(forged).map(([header, value]) => ({ [header]: value })), forged]) {
          const signedOut = await send(`${appOrigin}/x`, headers);
          assert.equal(signedOut.status, 401);
          const excluded = shown((await send(`${appOrigin}/public/x`, headers)).body);
          assert.deepEqual(told(excluded), [], JSON.stringify(headers));
          const signedIn = shown((await send(`${appOrigin}/x`, { ...headers, authorization })).body);
          assert.deepEqual(told(signedIn), asAnn, JSON.stringify(headers));
          const posted = shown((await send(`${appOrigin}/x`, { ...headers, authorization }, 'a=b')).body);
          assert.deepEqual(told(posted), asAnn, JSON.stringify(headers));
        }
        // A user without a department leaves the application no department of the client.
        const bosses = { authorization: `Bearer ${await getToken({}, bea)}`, 'remote-department': 'admin' };
        const asBea = told(shown((await send(`${appOrigin}/bosses`, bosses)).body));
        assert.ok(asBea.includes(`remote-user: ${bea}`) && !asBea.join().includes('admin'), asBea.join());
        // The header twice, together with the headers that the proxy sends to Janua.
        const twice = {
          'remote-user': ['admin', 'root'],
          'x-forwarded-uri': '/public/x',
          'x-forwarded-host': 'localhost',
        };
        assert.equal((await send(`${appOrigin}/x`, twice)).status, 401);
        assert.deepEqual(told(shown((await send(`${appOrigin}/x`, { ...twice, authorization })).body)), asAnn);
        assert.ok(!seen.some((request) => JSON.stringify(request.headers).includes('"admin"')));
      });

      test('gets its identity headers even if the client lists them in Connection', async () => {
        const { appOrigin, send } = deployed;
        const authorization = `Bearer ${await getToken()}`;
        const names =
          'close, Remote-User, Remote-Name, Remote-Email, Remote-Groups, Remote-Department, X-Forwarded-Host, X-Forwarded-Uri';
        for (const connection of [names, names.toLowerCase(), [names, 'close']]) {
          assert.equal((await send(`${appOrigin}/x`, { connection })).status, 401);
          const answer = await send(`${appOrigin}/x`, { connection, authorization });
          assert.deepEqual(told(shown(answer.body)), asAnn);
        }
      });

      test('does not get an access token under a public path', async () => {
        const { appOrigin, send } = deployed;
        const token = await getToken();
        for (const scheme of ['Bearer', 'bearer']) {
          const { status, body } = await send(`${appOrigin}/public/x`, { authorization: `${scheme} ${token}` });
          assert.equal(status, 200);
          assert.ok(!body.includes(token));
        }
      });

      /** Gets a token for the application, by Basic. */
      async function getHostToken(): Promise<string> {
        const headers = { authorization: `Bearer ${await getToken()}`, 'content-type': 'application/json' };
        const fields = { name: 'Calendar', host: deployed.appOrigin, expires_in_days: 1 };
        const made = await deployed.send(`${deployed.authOrigin}/api/account/tokens`, headers, JSON.stringify(fields));
        assert.equal(made.status, 201, made.body);
        return JSON.parse(made.body).token;
      }

      const basic = (secret: string) => ({
        authorization: `Basic ${Buffer.from(`${ann.username}:${secret}`).toString('base64')}`,
      });

      test('lets programs in by Basic where a rule takes it, and never gets their token', async () => {
        const { appOrigin, send, seen } = deployed;
        const token = await getHostToken();
        const before = seen.length;
        for (const headers of [{}, basic('wrong'), basic(password)]) {
          const refused = await send(`${appOrigin}/dav/x`, headers);
          const challenge = refused.headers['www-authenticate'];
          assert.deepEqual([refused.status, challenge], [401, 'Basic realm="janua", charset="UTF-8"']);
        }
        for (const path of ['/x', '/bosses', '/dav/../x'])
          assert.equal((await send(appOrigin + path, basic(token))).status, 401, path);
        const browser = await send(`${appOrigin}/dav/x`, { ...navigating, ...basic(token) });
        assert.equal(browser.status, 303);
        assert.equal(seen.length, before);
        const posted = await send(`${appOrigin}/dav/x`, basic(token), 'a=b');
        assert.deepEqual(told(shown(posted.body)), asAnn);
        // A client sends it to public paths, too. In base64, a token has another spelling after each length of a name.
        for (const name of ['a', 'an', 'ann']) {
          const authorization = `Basic ${Buffer.from(`${name}:${token}`).toString('base64')}`;
          assert.equal((await send(`${appOrigin}/public/x`, { authorization })).status, 200);
        }
        // With a cookie beside it, the application gets no Basic either.
        assert.equal(
          (await send(`${appOrigin}/dav/x`, { ...basic('own'), cookie: await getCookieOf(appOrigin) })).status,
          200,
        );
        const got = seen.slice(before);
        assert.equal(got.length, 5);
        assert.ok(!got.some(({ headers }) => headers.some(([header]) => /^authorization$/i.test(header))));
      });

      test('answers 429 to too many wrong tokens, and goes on with the right one', async () => {
        const { appOrigin, send } = deployed;
        const token = await getHostToken();
        const statuses = new Set<number>();
        for (let round = 0; round < 12; round++)
          statuses.add((await send(`${appOrigin}/dav/x`, basic(`wrong-${round}`))).status);
        assert.deepEqual([...statuses], [401, 429]);
        assert.equal((await send(`${appOrigin}/dav/x`, basic(token))).status, 200);
      });

      test('is a WebDAV server to curl, and a repository to git', {
        skip: !(findProgram('curl') && findProgram('git')) && 'no curl or git was found',
      }, async () => {
        const { appOrigin, workplace, certificate, seen } = deployed;
        const token = await getHostToken();
        const secret = `${encodeURIComponent(ann.username)}:${token}`;
        const env = {
          ...{ PATH: process.env.PATH, HOME: workplace.folder, GIT_TERMINAL_PROMPT: '0' },
          ...{ GIT_SSL_CAINFO: certificate.certificate, GIT_CONFIG_NOSYSTEM: '1' },
        };
        const run = async (program: string, ...args: string[]) =>
          (await promisify(execFile)(program, args, { cwd: workplace.folder, env, timeout: 60_000 })).stdout;
        const name = `${ann.username}:${token}`;
        // Without `--basic`, curl sends the token only after the challenge.
        const asked = ['--silent', '--cacert', certificate.certificate, '--anyauth', '--user', name];
        const got = await run('curl', ...asked, '--request', 'PROPFIND', `${appOrigin}/dav/calendar/`);
        assert.deepEqual([shown(got).method, told(shown(got))], ['PROPFIND', asAnn]);

        await run('git', 'init', '--quiet', 'work');
        await writeFile(join(workplace.folder, 'work', 'read.me'), 'Hello');
        const author = ['-c', 'user.name=Ann', '-c', `user.email=${ann.username}`];
        await run('git', '-C', 'work', 'add', 'read.me');
        await run('git', '-C', 'work', ...author, 'commit', '--quiet', '--message', 'First');
        await run('git', 'clone', '--quiet', '--bare', 'work', 'one.git');
        await run('git', '-C', 'one.git', 'update-server-info');
        const address = `${appOrigin}/dav/files/one.git`;
        await assert.rejects(run('git', 'clone', '--quiet', address, 'without'), /could not read Username/);
        await run('git', 'clone', '--quiet', address.replace('https://', `https://${secret}@`), 'copy');
        assert.equal(await readFile(join(workplace.folder, 'copy', 'read.me'), 'utf8'), 'Hello');
        assert.ok(!JSON.stringify(seen).includes(btoa(name).slice(-30)));
      });

      test('refuses the cookie of another application, whatever host the client names', async () => {
        const { appOrigin, wikiOrigin, send, sendTarget, seen } = deployed;
        const cookie = await getCookieOf(wikiOrigin);
        const { host } = new URL(wikiOrigin);
        const before = seen.length;
        // The first line of a request selects the site of the web server, not Host (RFC 9112 section 3.2.2).
        for (const headers of [{ cookie }, { cookie, host }, { cookie, 'x-forwarded-host': host }])
          assert.equal((await sendTarget(appOrigin, `${appOrigin}/x`, headers)).status, 401);
        assert.equal((await send(`${appOrigin}/x`, { cookie, 'x-forwarded-host': host })).status, 401);
        assert.equal(seen.length, before);
      });

      test('gets the WebSocket of a signed-in client', async () => {
        const { appOrigin, send, seen } = deployed;
        const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
        assert.equal((await send(`${appOrigin}/socket`, handshake)).status, 401);
        const authorization = `Bearer ${await getToken()}`;
        assert.equal((await send(`${appOrigin}/socket`, { ...handshake, authorization })).status, 101);
        assert.deepEqual(seen.at(-1)?.headers, [['upgrade', 'websocket']]);
      });

      test('gets no other upgrade, because a client could bypass the proxy through h2c', async () => {
        const { appOrigin, send, seen } = deployed;
        const authorization = `Bearer ${await getToken()}`;
        const settings = { 'http2-settings': 'AAMAAABkAAQAAP__' };
        for (const upgrade of [
          'h2c',
          'H2C',
          'h2c, websocket',
          'websocket, h2c',
          ['websocket', 'h2c'],
          'websocketx',
          'tls/1.0',
          'foo',
        ]) {
          const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade, ...settings, authorization };
          for (const path of ['/public/x', '/x']) {
            const before = seen.length;
            await send(appOrigin + path, headers);
            const upgrades = seen
              .slice(before)
              .flatMap(({ headers: sent }) => sent.filter(([header]) => /^upgrade$/i.test(header)));
            assert.ok(
              upgrades.every(([, value]) => value === 'websocket'),
              `${path} ${upgrade}: ${upgrades}`,
            );
            assert.ok(upgrades.length === 0 || Array.isArray(upgrade), `${path} ${upgrade}`);
          }
        }
      });

      describe('while Janua fails', () => {
        let standIn: StandIn;
        let wikiServer: AsyncDisposable;
        before(async () => {
          standIn = await startStandIn(deployed);
          wikiServer = await deployed.startWikiServer(standIn.port);
        });
        after(async () => {
          await wikiServer[Symbol.asyncDispose]();
          await standIn[Symbol.asyncDispose]();
        });

        const asked: [title: string, headers: Record<string, string>, body?: string][] = [
          ['a program', {}],
          ['a person', navigating],
          ['a form', { ...navigating, 'content-type': 'application/x-www-form-urlencoded' }, 'a=b'],
        ];

        const faults: [title: string, StandIn['answer']][] = [
          ['closes the connection', (_, outgoing) => outgoing.destroy()],
          ['does not answer', () => {}],
          ...[400, 429, 431, 500, 503].map((status): [string, StandIn['answer']] => [
            `answers ${status}`,
            (_, outgoing) => outgoing.writeHead(status, { 'remote-user': 'admin' }).end(),
          ]),
        ];
        for (const [title, answer] of faults) {
          test(`gets no request, and the client is refused, when Janua ${title}`, async () => {
            const { wikiOrigin, send, seen } = deployed;
            standIn.answer = answer;
            const heard = seen.length;
            await Promise.all(
              asked.map(async ([who, headers, body]) => {
                const { status } = await send(`${wikiOrigin}/x`, headers, body);
                assert.ok(status >= 400, `${who}: ${status}`);
                if (name === 'nginx') assert.equal(status, title === 'answers 429' ? 429 : 503, who);
              }),
            );
            assert.equal(seen.length, heard);
          });
        }

        // Caddy asks once.
        if (name === 'nginx')
          test('does not have its answer replaced by that of Janua when a user signs in between two checks', async () => {
            const { wikiOrigin, send, seen } = deployed;
            const cookie = await getCookieOf(wikiOrigin);
            const authorization = `Bearer ${await getToken()}`;
            standIn.answer = standIn.passOn;
            for (const credential of [{ cookie }, { authorization }])
              assert.equal((await send(`${wikiOrigin}/x`, credential)).status, 200);
            // As if the user had signed in after the first check.
            standIn.answer = (incoming, outgoing) =>
              incoming.headers['x-expected-format'] === undefined
                ? standIn.passOn(incoming, outgoing)
                : outgoing.writeHead(401).end();
            const heard = seen.length;
            for (const credential of [{ cookie }, { authorization }]) {
              const answers = await Promise.all(
                asked.map(([, headers, body]) => send(`${wikiOrigin}/x?y`, { ...headers, ...credential }, body)),
              );
              assert.deepEqual(
                answers.map(({ status, headers }) => [status, headers.location]),
                [
                  [401, undefined],
                  [303, `${wikiOrigin}/x?y`],
                  [303, `${wikiOrigin}/`],
                ],
              );
              assert.ok(answers.every(({ headers }) => headers['remote-user'] === undefined));
            }
            assert.equal(seen.length, heard);
          });
      });

      test('keeps the internal paths of its web server unreachable', async () => {
        const { appOrigin, send, seen } = deployed;
        const before = seen.length;
        const inside = ['/janua/verify', '/auth/verify', '/auth/home'];
        const around = ['..', '%2e%2e', '.%2E', '..%2f..', '..', '//..'].map((up) => `/public/${up}/x`);
        for (const path of [...inside, ...around, '/public%2f..%2fx', '//public/../x', '/x/../public/../x'])
          assert.ok([400, 401, 404].includes((await send(appOrigin + path)).status), path);
        assert.equal(seen.length, before);
      });

      test('has no public path that leads to a protected one, however the application reads it', async () => {
        const { appOrigin, send, seen } = deployed;
        const before = seen.length;
        for (const path of [
          ...leavingPaths,
          '/public\u0085',
          ...leavingPaths.map((one) => `/x${one.slice('/public'.length)}/public/y`),
        ]) {
          const { status } = await send(appOrigin + path);
          assert.ok([400, 401, 404].includes(status), `${path}: ${status}`);
        }
        assert.deepEqual(seen.slice(before), []);
      });

      test('gets the public paths that every application reads in the same way, as sent', async () => {
        const { appOrigin, send, seen } = deployed;
        for (const path of plainPaths) {
          assert.equal((await send(appOrigin + path)).status, 200, path);
          assert.equal(seen.at(-1)?.url, path);
        }
      });
    });
  });
}
