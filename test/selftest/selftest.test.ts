import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { Finding } from '../../selftest/finding.ts';
import { judgePlainOrigin } from '../../selftest/plain-http.ts';
import { type SelftestOptions, selftest } from '../../selftest/selftest.ts';
import { judgeValidity } from '../../selftest/tls.ts';
import { createCertificate } from '../servers/certificate.ts';
import { account, openSite, type Site, serve } from './served.ts';
import { type Given, type Misdeeds, type Passed, startTlsProxy } from './tls-proxy.ts';

let site: Site;
before(async () => {
  site = await openSite();
});
after(() => site[Symbol.asyncDispose]());

interface Outcome {
  readonly count: number;
  /** The findings that are not ok, each with its check, state, message and fix. */
  readonly complaints: readonly string[];
  /** The messages of the ok findings, each after its check. */
  readonly praise: string;
}

async function run(options: Partial<SelftestOptions> = {}, misdeeds: Misdeeds = {}): Promise<Outcome> {
  const { proxy, certificate } = site;
  const found: [check: string, finding: Finding][] = [];
  proxy.misdeeds = misdeeds;
  const count = await selftest(
    {
      origin: proxy.url,
      authorities: [await readFile(certificate.certificate, 'utf8')],
      timeoutMilliseconds: 10_000,
      account,
      throttle: false,
      plainPort: proxy.plainPort,
      ...options,
    },
    (check, finding) => found.push([check, finding]),
  );
  proxy.misdeeds = {};
  assert.ok(count <= 80, String(count));
  assert.doesNotMatch(JSON.stringify(found), new RegExp(account.password));
  for (const [, { state, message, fix }] of found) assert.equal(fix === undefined, state === 'ok', message);
  return {
    count,
    complaints: found
      .filter(([check, { state }]) => state !== 'ok' && !isLeftOut(check, options))
      .map(([check, { state, message, fix }]) => `${check} ${state}: ${message} ${fix}`),
    praise: found
      .filter(([, { state }]) => state === 'ok')
      .map(([check, { message }]) => `${check}: ${message}`)
      .join('\n'),
  };
}

/** A check that was not requested reports that it was skipped. That is no complaint. */
const isLeftOut = (check: string, { throttle = false, ...options }: Partial<SelftestOptions>) =>
  (check === 'throttle' && !throttle) || (check === 'login' && 'account' in options && options.account === undefined);

function assertComplaints({ complaints }: Outcome, expected: readonly RegExp[]): void {
  assert.equal(complaints.length, expected.length, complaints.join('\n'));
  for (const [index, pattern] of expected.entries()) assert.match(complaints[index] ?? '', pattern);
}

describe('janua selftest accepts a server', () => {
  // The only test through TLS and a proxy.
  test('that is set up well, with few requests and without leaving a session', async () => {
    const before = site.proxy.count;
    const outcome = await run({ throttle: true });
    assert.deepEqual(outcome.complaints, []);
    // The proxy sees no request of the two connections that check TLS.
    const sent = site.proxy.count - before;
    assert.ok(sent > 50 && sent <= outcome.count - 2, `${sent} of ${outcome.count}`);
    assert.equal(await site.server.countSessions(), 0);
    assert.match(
      outcome.praise,
      /hsts: HSTS is on all \d+ responses \(200, 204, 303, 400, 401, 403, 404, 405, 410, 413, 429\)/,
    );
  });

  test('that sends no mail', async () => {
    await using silent = await serve({ PUBLIC_URL: site.proxy.url });
    await withTarget(silent.url, async () => {
      const { praise } = await run({ account: undefined });
      assert.match(
        praise,
        /links: Users cannot sign up themselves\.\nlinks: Users cannot reset their passwords themselves\./,
      );
    });
  });

  test('that redirects plain HTTP to HTTPS', async () => {
    const { proxy } = site;
    const plain = { status: 308, headers: { location: `${proxy.url}/auth/login` }, body: '' };
    const { complaints, praise } = await run({ account: undefined }, { plain });
    assert.match(praise, /plain-http: A page requested by plain HTTP redirects to https:\/\/localhost/);
    assert.match(complaints[0] ?? '', /^plain-http warning: A login by plain HTTP is redirected to HTTPS/);
  });

  test('that does not listen for plain HTTP at all', async () => {
    const { praise } = await run({ account: undefined, plainPort: 1 });
    assert.match(praise, /plain-http: No program answers plain HTTP at port 1\./);
  });
});

const remove = (name: string): Misdeeds => ({ answer: ({ headers }) => delete headers[name] });
const add = (name: string, value: string): Misdeeds => ({
  answer({ headers }) {
    headers[name] = value;
  },
});
const withhold = (...names: string[]): Misdeeds => ({
  request({ headers }) {
    for (const name of names) delete headers[name];
    return undefined;
  },
});
const rewriteCookies = (rewrite: (line: string) => string): Misdeeds => ({
  answer({ headers }) {
    const lines = headers['set-cookie'];
    if (Array.isArray(lines)) headers['set-cookie'] = lines.map(rewrite);
  },
});
const answerItself = (path: string, given: Partial<Given>): Misdeeds => ({
  request: (passed) => (passed.path === path ? { status: 200, headers: {}, body: '', ...given } : undefined),
});

/** A proxy with all of these faults. */
const combine = (all: readonly Misdeeds[]): Misdeeds => ({
  request(passed) {
    for (const { request } of all) {
      const instead = request?.(passed);
      if (instead !== undefined) return instead;
    }
    return undefined;
  },
  answer(given, passed) {
    for (const { answer } of all) answer?.(given, passed);
  },
  plain: all.find(({ plain }) => plain)?.plain,
});

/** Caches the first answer to a GET for all clients. */
function cache(): Misdeeds {
  const kept = new Map<string, Given>();
  const keyOf = ({ path, headers }: Passed) => `${path} ${headers['x-expected-format']}`;
  return {
    request: (passed) => (passed.method === 'GET' ? kept.get(keyOf(passed)) : undefined),
    answer: (given, passed) => void kept.set(keyOf(passed), given),
  };
}

const page = '<html>Our own page</html>';

type Case = readonly [
  title: string,
  misdeeds: Misdeeds,
  expected: readonly RegExp[],
  options?: Partial<SelftestOptions>,
];

describe('janua selftest reports a proxy that disturbs sessions', () => {
  const cases: readonly Case[] = [
    [
      'a proxy that removes Secure from cookies',
      rewriteCookies((line) => line.replace('; Secure', '')),
      [
        /^cookies wrong: The cookie __Host-session comes without Secure\. .* leave Set-Cookie/,
        /^cookies wrong: The cookie __Host-browser comes without Secure\./,
      ],
    ],
    [
      'a proxy that removes HttpOnly and SameSite from the session cookie, and adds a domain',
      rewriteCookies((line) =>
        line.startsWith('__Host-session') ? line.replace('HttpOnly; SameSite=Lax', 'Domain=localhost') : line,
      ),
      [/^cookies wrong: .*__Host-session comes without HttpOnly, without SameSite=Lax, with Domain\./],
    ],
    [
      'a proxy that gives the session cookie a Max-Age',
      rewriteCookies((line) => line.replace(/^(__Host-session=[^;]+)/, '$1; Max-Age=99')),
      [/^cookies wrong: .*__Host-session comes with a wrong lifetime/],
    ],
    [
      'a proxy that sets its own cookie',
      {
        answer({ headers }) {
          headers['set-cookie'] = [headers['set-cookie'] ?? [], 'balancer=1'].flat() as string[];
        },
      },
      [/^cookies warning: There is a cookie balancer/],
    ],
    [
      'a proxy that drops cookies',
      remove('set-cookie'),
      [
        /^login wrong: The login sets no session cookie/,
        /^session warning: Not checked/,
        /^access warning: Not checked/,
        /^logout warning: Not checked/,
      ],
    ],
    [
      'a proxy that caches answers',
      cache(),
      [
        /^limits warning: The server accepts headers of 20 KiB/,
        /^access wrong: The signed-in user is unknown to GET \/admin\/me \(401\), GET \/api\/me \(401\), GET \/auth\/home \(303\)/,
        /^logout wrong: GET \/auth\/logout answers 405, or logs out/,
        /^cache wrong: GET \S+ was answered from a cache/,
      ],
    ],
    [
      'a proxy that drops x-expected-format',
      withhold('x-expected-format'),
      [
        /^formats wrong: GET \/admin\/me answers 303 for a page and 303 for JSON.* x-expected-format/,
        /^formats wrong: An unknown address gives 404 as text\/html/,
        /^access wrong: .* GET \/admin\/me \(200\)/,
      ],
    ],
    [
      'a proxy that drops Authorization',
      withhold('authorization'),
      [
        /^formats wrong: GET \/api\/me with an invented access token/,
        /^access wrong: .* GET \/api\/me \(401\)/,
        /^logout wrong: GET \/auth\/logout answers 405, or logs out/,
      ],
    ],
    [
      'a proxy that turns a link into a logout',
      {
        request(passed) {
          if (passed.path === '/auth/logout') passed.method = 'POST';
          return undefined;
        },
      },
      [
        /^logout wrong: GET \/auth\/logout answers 303, or logs out/,
        /^logout wrong: Logout answers 401 and 303/,
        /^logout wrong: Logout leaves the cookie/,
      ],
    ],
    [
      'a proxy that does not pass on logouts',
      answerItself('/api/logout', { status: 500 }),
      [
        /^public-url wrong: POST \/api\/logout .* answers 500, not 401/,
        /^logout wrong: Logout answers 500 and 303/,
        /^logout wrong: Logout leaves the cookie in the browser/,
        /^logout wrong: After logout, these still give access: cookie, token/,
        /^logout wrong: The test could not end its sessions: 3 left\. .* sessions revoke-all ann@example\.com/,
        /^headers warning: \d of \d+ .*, such as POST \/api\/logout \(500\)/,
        /^hsts wrong/,
      ],
    ],
    [
      'a proxy that lets in any token, even after a logout',
      {
        request: ({ path, headers: { authorization } }) =>
          path === '/admin/me' && authorization !== undefined ? { status: 200, headers: {}, body: page } : undefined,
      },
      [
        /^session wrong: The earlier session of ann@example\.com is still active/,
        /^logout wrong: After logout, these still give access: token\./,
        /^headers warning: 3 of/,
        /^hsts wrong/,
      ],
    ],
    [
      'a proxy that keeps the cookie after a logout',
      {
        answer({ headers }, { path }) {
          if (path.endsWith('/logout')) delete headers['set-cookie'];
        },
      },
      [/^logout wrong: Logout leaves the cookie in the browser/],
    ],
    [
      'a proxy that keeps the old cookie at a second login',
      {
        answer({ headers }, { path }) {
          if (path === '/auth/token') delete headers['set-cookie'];
        },
      },
      [/^session wrong: A second login sets no new session cookie/, /^logout wrong: Logout leaves the cookie/],
    ],
    [
      'a proxy that adopts a made-up cookie',
      {
        answer({ headers }, { path, headers: { cookie } }) {
          const lines = headers['set-cookie'];
          if (path === '/api/login' && cookie !== undefined && Array.isArray(lines))
            headers['set-cookie'] = lines.map((line) => line.replace(/^__Host-session=[^;]*/, cookie));
        },
      },
      [
        /^session wrong: A login adopts an invented session/,
        /^access wrong/,
        /^logout wrong: Logout answers 401 and 303/,
        /^logout wrong: Logout leaves the cookie/,
        /^logout wrong: After logout, these still give access: token/,
      ],
    ],
  ];
  for (const [title, misdeeds, expected] of cases) {
    test(title, async () => assertComplaints(await run({}, misdeeds), expected));
  }

  test('a proxy that closes signed-in connections, and still ends its sessions', async () => {
    const before = await site.server.countSessions();
    const outcome = await run({}, { request: ({ path }) => (path === '/auth/home' ? 'hang up' : undefined) });
    assertComplaints(outcome, [
      /^forged wrong: GET \/auth\/home gets no response: socket hang up/,
      /^access wrong: GET \/auth\/home gets no response/,
    ]);
    assert.equal(await site.server.countSessions(), before);
  });

  test('a proxy that closes the connection at every logout, and names the sessions that are left', async () => {
    const outcome = await run({}, { request: ({ path }) => (path.endsWith('/logout') ? 'hang up' : undefined) });
    assert.match(
      outcome.complaints.join('\n'),
      /^logout wrong: The test could not end its sessions: 3 left\. .*revoke-all/m,
    );
  });
});

describe('janua selftest reports a proxy', () => {
  /** Faults that do not disturb each other, and so are found in one run. */
  const together: Readonly<Record<string, readonly Case[]>> = {
    'that changes headers': [
      [
        'that lets every site read answers',
        add('access-control-allow-origin', '*'),
        [/^cors wrong: .* lets scripts of \* read the response\. .* CORS_ORIGINS/],
      ],
      [
        'that reports an answer from its cache',
        add('age', '7'),
        [/^cache wrong: GET \/auth\/login was answered from a cache/],
      ],
      [
        'that allows caches to keep answers',
        add('cache-control', 'public, max-age=60'),
        [/^cache wrong: Cache-Control: no-store is missing on (\d+) of \1 responses/],
      ],
      [
        'that replaces Vary',
        add('vary', 'Accept-Encoding'),
        [/^formats warning: Vary does not name x-expected-format/],
      ],
      [
        'that sends HSTS for five minutes',
        add('strict-transport-security', 'max-age=300'),
        [/^hsts wrong: HSTS of a year is missing/],
      ],
      ['that drops nosniff', remove('x-content-type-options'), [/^headers wrong: x-content-type-options is missing/]],
      [
        'that has a referrer policy of its own',
        add('referrer-policy', 'no-referrer'),
        [/^headers wrong: referrer-policy is wrong .* It is: no-referrer/],
      ],
      [
        'that names its version',
        add('server', 'nginx/1.18.0'),
        [/^headers warning: .* nginx\/1\.18\.0\. .*server_tokens off/],
      ],
    ],
    'that shows what clients must not see': [
      [
        'that shows another page for a token of the right length',
        {
          answer(given, { path }) {
            if (/token=[\w-]{43}$/.test(path)) given.body = given.body.replace('</main>', '<p>Nearly!</p></main>');
          },
        },
        [/^links wrong: Made-up links in mails are answered by 410, 410, 410, 410, 410, and by 2 pages\./],
      ],
      [
        'that serves a folder',
        answerItself('/.git/HEAD', { body: 'ref: refs/heads/main' }),
        [/^exposure wrong: Clients can read files: \/\.git\/HEAD \(200\)/],
      ],
      [
        'that serves metrics to anyone',
        answerItself('/metrics', { body: 'up 1' }),
        [/^exposure warning: Every client can read GET \/metrics/],
      ],
      [
        'that answers TRACE',
        { request: ({ method }) => (method === 'TRACE' ? { status: 200, headers: {}, body: 'TRACE /' } : undefined) },
        [/^exposure wrong: TRACE shows/],
      ],
      [
        'that hides whether the server is ready',
        answerItself('/health/ready', { status: 403 }),
        [/^reach warning: GET \/health\/ready answers 403/],
      ],
      [
        'that allows frames',
        add('content-security-policy', "default-src 'self'; base-uri 'none'; frame-ancestors 'self'"),
        [/^headers wrong: content-security-policy is wrong/],
      ],
      [
        'that redirects plain HTTP elsewhere',
        { plain: { status: 302, headers: { location: 'http://localhost/login' }, body: '' } },
        [/^plain-http wrong: .* redirects to http:\/\/localhost\/login/, /^plain-http warning: A login/],
      ],
      ['that names its framework', add('x-powered-by', 'Express'), [/^headers warning: .*Express/]],
      [
        'that reports an answer from its cache in its own header',
        add('x-cache', 'Hit from cloud'),
        [/^cache wrong: GET \/auth\/login was answered from a cache/],
      ],
      [
        'that drops HSTS',
        remove('strict-transport-security'),
        [/^hsts wrong: HSTS of a year is missing on (\d+) of \1 responses/],
      ],
    ],
    'that disturbs single answers': [
      [
        'that drops HSTS from errors',
        {
          answer({ status, headers }) {
            if (status >= 400) delete headers['strict-transport-security'];
          },
        },
        [/^hsts wrong: HSTS of a year is missing on \d+ of \d+ responses, such as POST \/api\/logout \(401\)/],
      ],
      [
        'that offers plain PKCE, and shows private keys',
        {
          answer(given, { path }) {
            if (path === '/.well-known/openid-configuration') given.body = given.body.replace('["S256"]', '["none"]');
            if (path === '/oidc/jwks') given.body = given.body.replaceAll('"use"', '"d"  ');
          },
        },
        [
          /^openid wrong: .* offers PKCE with other methods than S256\./,
          /^openid wrong: .* private part.*rotate signing/,
        ],
      ],
      [
        'that accepts headers and bodies of any size',
        {
          request({ headers, path }) {
            const isLarge =
              headers['x-padding'] !== undefined ||
              (path === '/auth/token' && Number(headers['content-length']) > 65_536);
            return isLarge ? { status: 200, headers: {}, body: '' } : undefined;
          },
        },
        [
          /^limits warning: The server accepts headers of 20 KiB/,
          /^limits warning: The server accepts a body of 70 KiB/,
        ],
      ],
      [
        'that believes a forged X-Forwarded-Host',
        {
          answer({ headers }, { headers: { 'x-forwarded-host': host } }) {
            if (host !== undefined) headers.location = `https://${host}/auth/login?state=2`;
          },
        },
        [
          /^forged wrong: Forged X-Forwarded-… headers change the response/,
          /^headers wrong: .* redirects to https:\/\/attacker\.example/,
        ],
      ],
      [
        'that drops Sec-Fetch-Site alone',
        withhold('sec-fetch-site'),
        [
          /^cross-site wrong: The server accepts a login sent by another site, by Sec-Fetch-Site alone \(303\); .*same site/,
        ],
      ],
      [
        'whose server is not ready',
        answerItself('/health/ready', {
          status: 503,
          headers: { 'content-type': 'application/json' },
          body: '{"detail":"sessions are unavailable"}',
        }),
        [/^reach wrong: GET \/health\/ready says: sessions are unavailable\. .*janua doctor/],
      ],
      [
        'that passes on plain HTTP',
        { plain: 'pass' },
        [
          /^plain-http wrong: The login page comes by plain HTTP/,
          /^plain-http wrong: A login by plain HTTP at port \d+ reaches Janua.* 308 to https:\/\/localhost/,
          /^plain-http warning: HSTS is sent by plain HTTP too/,
        ],
      ],
      [
        'that allows scripts in pages',
        add('content-security-policy', "default-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"),
        [/^headers wrong: content-security-policy is wrong on (\d+) of \1 responses.*'unsafe-inline'/],
      ],
    ],
  };
  const cases: readonly Case[] = [
    [
      'that has error pages of its own',
      {
        answer(given) {
          if (given.status === 404) Object.assign(given, { headers: { 'content-type': 'text/html' }, body: page });
        },
      },
      [
        /^formats wrong: An unknown address gives 404 as text\/html.*proxy_intercept_errors off/,
        /^headers warning: \d of \d+ responses came from a proxy or cache before Janua, such as GET \/\w+ \(404\)/,
        /^hsts wrong: .* is missing on \d of \d+ responses/,
      ],
    ],
    [
      'that answers for another issuer, with methods of its own',
      answerItself('/.well-known/openid-configuration', {
        headers: { 'content-type': 'application/json' },
        body: '{"issuer":"https://elsewhere.example.com"}',
      }),
      [/^openid wrong: .* names the issuer https:\/\/elsewhere\.example\.com/, /^headers/, /^hsts/],
    ],
    [
      'that sends a stranger back',
      {
        request: ({ path }) =>
          path.startsWith('/oidc/auth')
            ? { status: 302, headers: { location: 'https://janua-selftest.invalid/?code=x' }, body: '' }
            : undefined,
      },
      [/^openid wrong: A made-up client gets 302 to https:/, /^headers/, /^headers/, /^hsts/],
    ],
    [
      'that redirects to the internal address of Janua',
      {
        answer({ headers }) {
          const [location] = (headers.location ?? []) as string[];
          if (location !== undefined) headers.location = `http://127.0.0.1:5000${location}`;
        },
      },
      [/^headers wrong: GET \S+ redirects to http:\/\/127\.0\.0\.1:5000\/.*proxy_redirect off/],
    ],
    [
      'that believes a forged Host',
      {
        answer({ headers }, { headers: { host } }) {
          if (headers.location !== undefined) headers.location = `https://${host}/auth/login?state=2`;
        },
      },
      [
        /^forged wrong: The response uses a forged Host: 303 to https:\/\/attacker\.example/,
        /^headers wrong: .* redirects to/,
      ],
    ],
    [
      'that drops Origin and Sec-Fetch-Site',
      withhold('origin', 'sec-fetch-site'),
      [/^cross-site wrong: The server accepts a login sent by another site \(303\); .*Sec-Fetch-Site alone \(303\)/],
    ],
    [
      'that moves the query into the body',
      {
        request: (passed) => {
          if (!passed.path.startsWith('/api/login?')) return undefined;
          return { status: 400, headers: { 'content-type': 'application/json' }, body: '{"error":"invalid_grant"}' };
        },
      },
      [
        /^limits wrong: A login with the password in the URL answers 400/,
        /^headers warning: 1 of \d+ .* from a proxy or cache before Janua, such as POST \/api\/login\?/,
        /^hsts wrong/,
      ],
    ],
    [
      'that believes any X-Forwarded-For',
      {
        request({ headers }) {
          headers['x-forwarded-for'] = String(headers['x-forwarded-for']).split(',')[0];
          return undefined;
        },
      },
      [/^throttle wrong: The server slows down guessing only after 10 failures: .* TRUSTED_PROXIES must name/],
      { throttle: true },
    ],
    [
      'that hides the addresses of clients',
      {
        request({ headers }) {
          headers['x-forwarded-for'] = 'unknown';
          return undefined;
        },
      },
      [/^throttle warning: Try 6 for a new name already had to wait/],
      { throttle: true },
    ],
    [
      'that drops Retry-After',
      remove('retry-after'),
      [/^throttle warning: A client that has to wait does not see for how long/],
      { throttle: true },
    ],
    [
      'that leads to another service',
      answerItself('/auth/login', { body: page }),
      [
        /^reach wrong: GET \/auth\/login gives no login page, but the status 200\. Use the address that users open in --against/,
      ],
    ],
    [
      'that does not answer',
      { request: () => 'hang' },
      [/^reach wrong: GET \/auth\/login gets no response: no answer within 0\.2 s/],
      { timeoutMilliseconds: 200 },
    ],
  ];
  for (const [title, faults] of Object.entries(together)) {
    test(title, async () => {
      const { complaints } = await run({ account: undefined }, combine(faults.map(([, misdeeds]) => misdeeds)));
      const left = [...complaints];
      for (const [fault, , expected] of faults)
        for (const pattern of expected) {
          const index = left.findIndex((complaint) => pattern.test(complaint));
          assert.notEqual(index, -1, `${fault}: ${pattern} among\n${left.join('\n')}`);
          left.splice(index, 1);
        }
      assert.deepEqual(left, []);
    });
  }
  for (const [index, [title, misdeeds, expected, options]] of cases.entries()) {
    test(title, async () => {
      // Each test has its own client address, so that its failures do not count for other tests.
      site.proxy.client = `198.51.100.${index + 2}`;
      assertComplaints(await run({ account: undefined, ...options }, misdeeds), expected);
    });
  }
});

describe('janua selftest reports a server', () => {
  test('with a wrong PUBLIC_URL, and names the right one', async () => {
    await using server = await serve({ PUBLIC_URL: 'https://auth.example.com' });
    await withTarget(server.url, async () => {
      const { complaints } = await run();
      assert.match(complaints[0] ?? '', /^public-url wrong: .* PUBLIC_URL must be https:\/\/localhost:\d+; or use/);
      assert.match(
        complaints[1] ?? '',
        /^second-factors wrong: Passkeys belong to auth\.example\.com, and browsers refuse/,
      );
      assert.match(complaints[2] ?? '', /^openid wrong: .* names the issuer https:\/\/auth\.example\.com/);
      assert.deepEqual(complaints.slice(3), [
        'login warning: Not checked, because the server refuses forms of this address. Correct what public-url says first.',
      ]);
    });
  });

  test('that is set up for plain HTTP behind TLS, because cookies and HSTS are wrong', async () => {
    const { proxy } = site;
    await using server = await serve({ PUBLIC_URL: proxy.url.replace('https', 'http') });
    await withTarget(server.url, async () => {
      // The server does not know that its pages use HTTPS. Without Sec-Fetch-Site it would refuse the browser.
      const { complaints } = await run({}, { request: browserSays });
      assert.match(
        complaints.join('\n'),
        /^cookies wrong: The session cookie is session, where HTTPS needs __Host-session/m,
      );
      assert.match(complaints.join('\n'), /^hsts wrong: HSTS of a year is missing on (\d+) of \1 responses/m);
    });
  });

  test('without a throttle', async () => {
    const { proxy } = site;
    await using server = await serve({ PUBLIC_URL: proxy.url, THROTTLE: 'off' });
    await withTarget(server.url, async () => {
      const outcome = await run({ throttle: true });
      assertComplaints(outcome, [
        /^throttle wrong: A client could try 12 wrong passwords for one name without a wait\. THROTTLE=on/,
      ]);
    });
  });

  test('that has stopped', () =>
    withTarget('http://127.0.0.1:1', async () => {
      const outcome = await run();
      assertComplaints(outcome, [/^reach wrong: .* the status 502\. Start Janua, and let the proxy pass requests on/]);
    }));

  test('that refuses the password, and does not try again', async () => {
    const before = site.proxy.count;
    const { complaints } = await run({ account: { ...account, password: 'another' } });
    assert.match(complaints[0] ?? '', /^login wrong: The server refuses the password of ann@example\.com/);
    assert.ok(site.proxy.count - before < 50);
  });
});

describe('janua selftest reports a certificate', () => {
  test('from an unknown authority, without sending a request', async () => {
    const before = site.proxy.count;
    assertComplaints(await run({ authorities: [] }), [/^reach wrong: .* an unknown authority\. .* --ca FILE/]);
    assert.equal(site.proxy.count, before);
  });

  test('for another host', async () => {
    const { folder } = site;
    const certificate = await createCertificate(folder, 'other', 'DNS:auth.example.com');
    await using proxy = await startTlsProxy(certificate);
    const outcome = await run({ origin: proxy.url, authorities: [await readFile(certificate.certificate, 'utf8')] });
    assertComplaints(outcome, [
      /^reach wrong: GET \/auth\/login gets no response: its certificate is for another host/,
    ]);
  });

  test('that should have been renewed', () => {
    const day = 24 * 60 * 60 * 1000;
    assert.equal(judgeValidity(0, 90 * day, 70 * day).state, 'ok');
    assert.equal(judgeValidity(0, 90 * day, 77 * day).state, 'warning');
    // Some certificates are valid for only six days.
    assert.equal(judgeValidity(0, 6 * day, 4 * day).state, 'ok');
    assert.equal(judgeValidity(0, 6 * day, 5 * day).state, 'warning');
  });
});

test('janua selftest reports a server that accepts TLS 1.1', async () => {
  const { certificate, proxy: other } = site;
  await using proxy = await startTlsProxy(certificate, { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' });
  proxy.target = other.target;
  const { complaints } = await run({ origin: proxy.url, account: undefined });
  assert.match(complaints[0] ?? '', /^tls wrong: The server also accepts TLSv1\.1/);
});

test('janua selftest accepts plain HTTP only on this machine', async () => {
  assert.equal(judgePlainOrigin('http://127.0.0.1:5000').state, 'ok');
  assert.equal(judgePlainOrigin('http://auth.example.com').state, 'wrong');
  // This skips the proxy, and so finds the settings for HTTPS on a plain server.
  const { complaints } = await run({ origin: site.server.url });
  assert.match(complaints.join('\n'), /^public-url wrong: .* or use the address that users open in --against/m);
  assert.match(complaints.join('\n'), /^hsts warning: HSTS is sent by plain HTTP/m);
});

function browserSays({ headers }: Passed): undefined {
  if (headers.origin === site.proxy.url) headers['sec-fetch-site'] ??= 'same-origin';
}

async function withTarget(target: string, work: () => Promise<void>): Promise<void> {
  const { proxy } = site;
  const usual = proxy.target;
  proxy.target = target;
  try {
    await work();
  } finally {
    proxy.target = usual;
  }
}
