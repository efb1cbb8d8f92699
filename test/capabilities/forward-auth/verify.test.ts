import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { notAuthenticated } from '../../../src/core/access/access.ts';
import { Refusal } from '../../../src/core/access/refusal.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { events } from '../../../src/site.ts';
import { securityHeaders } from '../../../src/web/hooks/security-headers.ts';
import type { SignedIn } from '../../client.ts';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { startServer } from '../../web/server.ts';
import {
  appOrigin,
  createForwardBrowser,
  forwarded,
  forwardSettings,
  navigating,
  otherOrigin,
  own,
  signInAt,
} from './forward-browser.ts';

let janua: TestJanua;
let signedIn: SignedIn;
before(async () => {
  janua = await startJanua({ settings: forwardSettings, time: Date.now() });
  signedIn = await janua.logIn();
});
after(() => janua[Symbol.asyncDispose]());

const verify = (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
  janua.get('/auth/verify', headers, remoteAddress);

const signIn = async (address = `${appOrigin}/reports?year=2026&q=a%20b`) => {
  const browser = createForwardBrowser(janua);
  assert.equal(await signInAt(browser, address), address);
  return browser;
};

describe('the answer about a signed-in user', () => {
  for (const method of ['GET', 'HEAD'] as const) {
    test(`to ${method} names the user, and contains nothing else`, async () => {
      for (const credential of [signedIn.cookie, signedIn.bearer]) {
        for (const headers of [credential, { ...credential, ...navigating }, { ...credential, accept: '*/*' }]) {
          const answer = await janua.app.inject({ method, url: '/auth/verify', headers });
          assert.equal(answer.statusCode, 200);
          assert.equal(answer.body, '');
          assert.equal(answer.headers['remote-user'], ann.username);
          assert.equal(answer.headers['remote-name'], 'Ann Archer');
          assert.equal(answer.headers['remote-email'], ann.username);
          assert.equal(answer.headers['remote-groups'], '');
          assert.equal(answer.headers['cache-control'], 'no-store');
          assert.equal(answer.headers['set-cookie'], undefined);
        }
      }
    });
  }

  test('has names in UTF-8 that cannot break a header, and Remote-Email only for an e-mail address', async () => {
    await using other = await startJanua();
    const names = [
      ['zoë@example.com', 'Zoë', '李', 'zoë@example.com', 'Zoë 李', 'zoë@example.com'],
      ['bob', 'Bob\r\nRemote-User: admin', 'B\u202e\0', 'bob', 'Bob\uFFFD\uFFFDRemote-User: admin B\uFFFD\uFFFD', ''],
      ['eve @example.com', ' ', '', 'eve @example.com', '', ''],
      ['eve\u200B', 'E', '', 'eve\uFFFD{200b}', 'E', ''],
      ['eve\u200C', 'E', '', 'eve\uFFFD{200c}', 'E', ''],
      ['eve\uFFFD', 'E', '', 'eve\uFFFD{fffd}', 'E', ''],
      ['e\u00ADve@example.com', 'E', '', 'e\uFFFD{ad}ve@example.com', 'E', ''],
      [' zed\u00A0 ', 'E', '', '\uFFFD{20}zed\uFFFD{a0}\uFFFD{20}', 'E', ''],
    ];
    for (const [username = '', firstName = '', lastName = '', ...expected] of names) {
      await other.services.registry?.add({ username, firstName, lastName, passwordHash: 'x', demo: false });
      const account = await other.account(username);
      const owner = { userId: account.user.id, stamp: stampOf(account) };
      const { accessToken } = await other.services.sessions.start(owner, { methods: ['pwd'] });
      const headers = { authorization: `Bearer ${accessToken}` };
      const answer = await other.get('/auth/verify', headers);
      assert.equal(answer.statusCode, 200);
      const told = ['remote-user', 'remote-name', 'remote-email'].map((name) => {
        assert.ok(name in answer.headers, `${name} is always sent`);
        return Buffer.from(String(answer.headers[name]), 'latin1').toString();
      });
      assert.deepEqual(told, expected);
    }
  });

  for (const [addressProof, email] of [
    [undefined, 'ceo@corp.example'],
    ['mail', 'ceo@corp.example'],
    ['upstream', 'ceo@corp.example'],
    ['import', 'ceo@corp.example'],
    ['admin', 'ceo@corp.example'],
    ['none', ''],
  ] as const) {
    test(`has ${email ? 'an' : 'no'} address that is proved by ${addressProof ?? 'the operator'}`, async () => {
      await using other = await startJanua();
      const { registry, users, sessions } = other.services;
      const person = { username: 'ceo@corp.example', firstName: 'C', lastName: 'O', passwordHash: 'x', demo: false };
      await registry?.add({ ...person, ...(addressProof && { addressProof }) });
      const account = await users.findByUsername(person.username);
      assert.ok(account);
      const owner = { userId: account.user.id, stamp: stampOf(account) };
      const { accessToken } = await sessions.start(owner, { methods: ['pwd'] });
      const headers = { authorization: `Bearer ${accessToken}` };
      const answer = await other.get('/auth/verify', headers);
      assert.deepEqual([answer.headers['remote-user'], answer.headers['remote-email']], [person.username, email]);
    });
  }

  test('accepts an access token on our own and on listed origins, and the token decides over a cookie', async () => {
    const browser = await signIn();
    const { cookie } = { cookie: `__Host-janua=${browser.sites.get(appOrigin)?.jar['__Host-janua']}` };
    for (const address of [`${own}/x`, `${appOrigin}/x`, `${otherOrigin}/x`])
      assert.equal((await verify({ ...forwarded(address), ...signedIn.bearer })).statusCode, 200, address);
    assert.equal((await verify({ ...forwarded('https://evil.example/'), ...signedIn.bearer })).statusCode, 401);
    const said = forwarded(`${appOrigin}/x`);
    assert.equal((await verify({ ...said, cookie })).statusCode, 200);
    assert.equal((await verify({ ...said, cookie, authorization: 'Basic Og==' })).statusCode, 200);
    const refused = await verify({ ...said, cookie, authorization: 'Bearer x' });
    assert.equal(refused.statusCode, 401);
    assert.match(String(refused.headers['www-authenticate']), /error="invalid_token"/);
  });
});

describe('a client without a session', () => {
  const said = forwarded(`${appOrigin}/x`);
  const program: [title: string, headers: Record<string, string>][] = [
    ['sends no headers', {}],
    ['accepts any type', { accept: '*/*' }],
    ['is a script', { 'sec-fetch-mode': 'cors', accept: 'text/html' }],
    ['loads a picture', { 'sec-fetch-mode': 'no-cors' }],
    ['opens a WebSocket', { 'sec-fetch-mode': 'websocket' }],
    ['asks for JSON', { 'x-expected-format': 'application/json', ...navigating, accept: 'text/html' }],
  ];
  for (const [title, headers] of program) {
    test(`gets 401 with a challenge if it ${title}`, async () => {
      const answer = await verify({ ...said, ...headers });
      assert.equal(answer.statusCode, 401);
      const request_id = answer.headers['x-request-id'];
      assert.deepEqual(answer.json(), { title: 'Unauthorized', status: 401, detail: 'Not authenticated', request_id });
      assert.equal(answer.headers['www-authenticate'], 'Bearer realm="janua"');
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.equal(answer.headers['remote-user'], undefined);
    });
  }

  for (const headers of [navigating, { accept: 'text/html,*/*;q=0.8' }]) {
    test(`is sent to the login if it opens a page: ${JSON.stringify(headers)}`, async () => {
      const answer = await verify({ ...said, ...headers });
      assert.equal(answer.statusCode, 303);
      const location = new URL(String(answer.headers.location));
      assert.equal(location.origin + location.pathname, `${own}/auth/forward`);
      assert.equal(location.searchParams.get('to'), `${appOrigin}/x`);
      assert.match(
        String(answer.headers['set-cookie']),
        /^__Host-janua-return=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=600$/,
      );
    });
  }

  test('gets 400 for two Authorization fields', async () => {
    const answer = await janua.get('/auth/verify', { authorization: ['Bearer a', 'Bearer b'] as never });
    assert.equal(answer.statusCode, 400);
  });

  test('goes to the login page and back on our own origin, and loses its dead cookie', async () => {
    const answer = await verify({ ...forwarded(`${own}/wiki/a?b=c`), ...navigating, cookie: '__Host-session=x' });
    assert.deepEqual(
      [answer.statusCode, answer.headers.location],
      [303, `${own}/auth/login?state=2&next=%2Fwiki%2Fa%3Fb%3Dc`],
    );
    assert.match(String(answer.headers['set-cookie']), /^__Host-session=; .*Max-Age=0/);
    for (const uri of ['//evil.example', '/\\evil.example', '/%2f/evil.example']) {
      const odd = await verify({ ...forwarded(own), ...navigating, 'x-forwarded-uri': uri });
      assert.equal(odd.headers.location, `${own}/auth/login?state=2`, uri);
    }
  });

  const dead = '__Host-janua=x';
  const elsewhere = forwarded('https://evil.example/');
  const ticket = forwarded(`${appOrigin}/x?janua-ticket=1`);
  const explained: [title: string, headers: Record<string, string>, reason: string, sent: string][] = [
    ['nothing', said, 'no-credential', `no cookie of Janua for ${appOrigin}`],
    ['a dead cookie of the host', { ...said, cookie: dead }, 'dead-cookie', `one cookie of Janua for ${appOrigin}`],
    [
      'two of them',
      { ...said, cookie: `${dead}; ${dead}` },
      'several-cookies',
      `several cookies of Janua for ${appOrigin}`,
    ],
    [
      'a token for an unlisted host',
      { ...elsewhere, authorization: 'Bearer x' },
      'origin-not-listed',
      'an access token',
    ],
    [
      'a cookie beside a ticket',
      { ...ticket, cookie: dead },
      'ticket-in-address',
      `one cookie of Janua for ${appOrigin}`,
    ],
    [
      'a session cookie of our own host',
      { ...forwarded(`${own}/`), cookie: '__Host-session=x' },
      'dead-cookie',
      'one session cookie',
    ],
  ];
  for (const [title, headers, reason, sent] of explained) {
    test(`is explained by what it sent: ${title}`, async () => {
      const answer = await verify(headers);
      assert.equal(answer.statusCode, 401);
      const [event] = await janua.services.auditTrail.findByRequestId(String(answer.headers['x-request-id']));
      assert.ok(event !== undefined && 'kind' in event);
      assert.deepEqual([event.kind, event.reason], ['access-refused', reason]);
      const lines = new Map(explain(event, events));
      assert.ok(lines.get('Sent')?.includes(sent), String(lines.get('Sent')));
      assert.ok(lines.get('To do'));
    });
  }
});

describe('the request that a proxy describes', () => {
  /** Which kind of origin Janua takes it for. The redirect of a client without a session shows it. */
  async function kindOf(headers: Record<string, string>, peer?: string): Promise<'own' | 'listed' | 'unlisted'> {
    const answer = await verify({ ...navigating, ...headers }, peer);
    assert.equal(answer.statusCode, 303);
    const location = String(answer.headers.location);
    if (!location.startsWith('https:')) return 'own';
    if (headers['x-forwarded-host'] === new URL(own).host) return 'own';
    return location.startsWith(`${own}/auth/forward?`) ? 'listed' : 'unlisted';
  }

  const hosts: [proto: string, host: string, kind: string][] = [
    ['https', 'app.example.com', 'listed'],
    ['HTTPS', 'APP.Example.COM', 'listed'],
    ['https', 'app.example.com:443', 'listed'],
    ['wss', 'app.example.com', 'listed'],
    ['https', 'other.example.com:8443', 'listed'],
    ['https', 'auth.example.com', 'own'],
    ['http', 'app.example.com', 'unlisted'],
    ['https', 'app.example.com:444', 'unlisted'],
    ['https', 'other.example.com', 'unlisted'],
    ['https', 'app.example.com.', 'unlisted'],
    ['https', 'app.example.com@evil.example', 'unlisted'],
    ['https', 'evil.example@app.example.com', 'unlisted'],
    ['https', 'a:b@app.example.com', 'unlisted'],
    ['https', 'app.example.com/', 'unlisted'],
    ['https', 'app.example.com?', 'unlisted'],
    ['https', 'app.example.com#', 'unlisted'],
    ['https', '%61pp.example.com', 'unlisted'],
    ['https', 'app.exa\tmple.com', 'unlisted'],
    ['https', 'app.example.com, evil.example', 'unlisted'],
    ['https', 'app.example.com:', 'unlisted'],
    ['https', 'evil.app.example.com', 'unlisted'],
    ['https', 'app.example.com.evil.example', 'unlisted'],
    ['https', '[::1', 'unlisted'],
    ['https', 'a..b:99999', 'unlisted'],
    ['https, http', 'app.example.com', 'unlisted'],
    ['javascript', 'app.example.com', 'unlisted'],
    ['__proto__', 'app.example.com', 'unlisted'],
  ];
  for (const [proto, host, expected] of hosts) {
    test(`has ${expected === 'own' ? 'our own' : `${expected === 'listed' ? 'a listed' : 'an unlisted'}`} origin for ${proto} and ${JSON.stringify(host)}`, async () => {
      const headers = { 'x-forwarded-proto': proto, 'x-forwarded-host': host, 'x-forwarded-uri': '/' };
      assert.equal(await kindOf(headers), expected);
      if (expected === 'unlisted') {
        for (const credential of [signedIn.cookie, signedIn.bearer])
          assert.equal((await verify({ ...headers, ...credential })).statusCode, 401);
      }
    });
  }

  test('is taken as a request to our own origin if it names no host or comes from an untrusted peer', async () => {
    assert.equal((await verify(navigating)).headers.location, '/auth/login?state=2');
    assert.equal(await kindOf({}), 'own');
    assert.equal(await kindOf({ 'x-forwarded-proto': 'https', 'x-forwarded-uri': '/x' }), 'own');
    assert.equal(await kindOf({ 'x-forwarded-host': 'app.example.com' }), 'unlisted');
    for (const peer of ['192.0.2.1', '::1']) {
      const headers = forwarded(`${appOrigin}/x`);
      assert.equal(await kindOf(headers, peer), 'own');
      const { headers: told } = await verify({ ...headers, ...navigating }, peer);
      assert.equal(told.location, '/auth/login?state=2', 'the forwarded path is ignored too');
      assert.equal((await verify({ ...headers, ...signedIn.cookie }, peer)).statusCode, 200);
    }
  });

  const uris: [uri: string | undefined, method: string, to: string][] = [
    ['/', 'GET', 'way'],
    ['/a?b=c&d=%20', 'HEAD', 'way'],
    ['//double', 'get', 'way'],
    ["/a'|;%22%3c%2F%5c%2e.html?b='", 'GET', 'first page'],
    ["/a'|;%22%3c%2F%5c%2e.html?b=%27..", 'GET', 'way'],
    ['/a/../public/', 'GET', 'first page'],
    ['/a%2fb/../public/', 'GET', 'first page'],
    ['/a/%2E%2e/public/', 'GET', 'first page'],
    ['/a/.', 'GET', 'first page'],
    ['/a\\..\\public\\', 'GET', 'first page'],
    ['/a"', 'GET', 'first page'],
    ['/a', 'POST', 'first page'],
    ['/a', 'DELETE', 'first page'],
    ['/a', 'GET, POST', 'first page'],
    ['a', 'GET', 'first page'],
    ['https://evil.example/', 'GET', 'first page'],
    ['.evil.example/', 'GET', 'first page'],
    ['@evil.example/', 'GET', 'first page'],
    ['/a b', 'GET', 'first page'],
    ['/a\tb', 'GET', 'first page'],
    ['/a#b', 'GET', 'first page'],
    ['/\xe9', 'GET', 'first page'],
    [`/${'a'.repeat(3000)}`, 'GET', 'first page'],
    ['', 'GET', 'login'],
    [undefined, 'GET', 'login'],
  ];
  for (const [uri, method, to] of uris) {
    test(`${method} ${JSON.stringify(uri)?.slice(0, 40)} is redirected to the ${to === 'way' ? 'way back' : to}`, async () => {
      const { 'x-forwarded-uri': _, ...said } = forwarded(`${appOrigin}/`, method);
      const answer = await verify({ ...said, ...navigating, ...(uri === undefined ? {} : { 'x-forwarded-uri': uri }) });
      assert.equal(answer.statusCode, 303);
      const location = new URL(String(answer.headers.location));
      if (to === 'way') assert.equal(location.searchParams.get('to'), appOrigin + uri);
      else if (to === 'first page') assert.equal(location.href, `${appOrigin}/`);
      else assert.equal(location.href, `${own}/auth/login?state=2`);
    });
  }
});

describe('a proxy that was refused and asks for the answer to the client', () => {
  const asked = async (address: string, headers: Record<string, string>, method = 'GET') =>
    janua.get('/auth/refused', { ...forwarded(address, method), ...headers });

  test('gets the same refusal if the client still has no session', async () => {
    assert.equal((await asked(`${appOrigin}/x`, {})).statusCode, 401);
    const person = await asked(`${appOrigin}/x`, navigating);
    assert.equal(person.statusCode, 303);
    assert.match(String(person.headers.location), /\/auth\/forward\?/);
  });

  test('never gets 200, which the client would take for an answer of the application', async () => {
    const browser = await signIn();
    const cookie = `__Host-janua=${browser.sites.get(appOrigin)?.jar['__Host-janua']}`;
    for (const credential of [{ cookie }, signedIn.bearer]) {
      assert.equal((await verify({ ...forwarded(`${appOrigin}/x`), ...credential })).statusCode, 200);
      for (const method of ['GET', 'POST']) {
        const program = await asked(`${appOrigin}/x?y`, credential, method);
        assert.equal(program.statusCode, 401);
        assert.match(String(program.headers['www-authenticate']), /^Bearer realm="janua"/);
        assert.equal(program.headers['remote-user'], undefined);
        const person = await asked(`${appOrigin}/x?y`, { ...credential, ...navigating }, method);
        assert.equal(person.statusCode, 303);
        assert.equal(person.headers.location, method === 'GET' ? `${appOrigin}/x?y` : `${appOrigin}/`);
        assert.equal(person.headers['remote-user'], undefined);
      }
    }
    const atOurs = await asked(`${own}/x`, { ...signedIn.cookie, ...navigating });
    assert.deepEqual([atOurs.statusCode, atOurs.headers.location], [303, `${own}/x`]);
    assert.equal(atOurs.headers['set-cookie'], undefined, 'the session cookie is kept');
    // If the proxy serves this path, a user may open it by hand.
    const opened = await asked(`${own}/auth/refused?a`, { ...signedIn.cookie, ...navigating });
    assert.equal(opened.headers.location, `${own}/`);
  });
});

test('Janua sends HSTS for its own origin only, not for other hosts, and the other security headers for all', async () => {
  const browser = await signIn();
  const { 'strict-transport-security': _, 'content-security-policy': __, ...others } = securityHeaders({ https: true });
  const promised = async (address: string, headers: Record<string, string>) => {
    const answer = await browser.ask(address, headers);
    for (const [name, value] of Object.entries(others)) assert.equal(answer.headers[name], value, `${name} ${address}`);
    return [answer.statusCode, answer.headers['strict-transport-security']];
  };
  assert.deepEqual(await promised(`${appOrigin}/x`, {}), [200, undefined]);
  assert.deepEqual(await promised(`${otherOrigin}/x`, {}), [401, undefined]);
  assert.deepEqual(await promised(`${otherOrigin}/x`, navigating), [303, undefined]);
  assert.deepEqual(await promised('https://evil.example/x', {}), [401, undefined]);
  const onOurs = await verify({ ...forwarded(`${own}/x`) });
  assert.match(String(onOurs.headers['strict-transport-security']), /^max-age=/);
});

describe('a WebSocket of the application', () => {
  test('is let in by its cookie, even if the proxy passes on the handshake', async () => {
    const browser = await signIn();
    const handshake = { upgrade: 'websocket', origin: appOrigin, 'sec-fetch-mode': 'websocket' };
    assert.equal((await browser.ask(`${appOrigin}/socket`, handshake)).statusCode, 200);
    assert.equal((await browser.ask(`${otherOrigin}/socket`, handshake)).statusCode, 401);
  });
});

// Traefik itself does not run here. Its ForwardAuth (2.11 and 3, without trustForwardHeader) sends these requests.
describe('a request as Traefik sends it', () => {
  const traefik = (address: string, method: string, sent: Record<string, string> = {}) => {
    const { host, pathname, search } = new URL(address);
    return verify({
      'accept-encoding': 'gzip',
      ...sent,
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-host': host,
      'x-forwarded-method': method,
      'x-forwarded-proto': 'https',
      'x-forwarded-uri': pathname + search,
    });
  };

  test('of a browser is redirected to an absolute address, with the cookie for the host', async () => {
    const answer = await traefik(`${appOrigin}/x?y=z`, 'GET', { ...navigating, accept: 'text/html' });
    assert.equal(answer.statusCode, 303);
    assert.equal(new URL(String(answer.headers.location)).searchParams.get('to'), `${appOrigin}/x?y=z`);
    assert.match(String(answer.headers['set-cookie']), /^__Host-janua-return=/);
    const atHome = await traefik(`${own}/x`, 'GET', navigating);
    assert.ok(
      URL.canParse(String(atHome.headers.location)),
      'the address is absolute, because Traefik resolves paths against its own address',
    );
  });

  test('of a program is decided for any method, and always has the four headers that replace forged ones', async () => {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      const forged = { 'remote-user': 'admin', 'x-forwarded-user': 'admin' };
      assert.equal((await traefik(`${appOrigin}/x`, method, forged)).statusCode, 401);
      const { statusCode, headers } = await traefik(`${appOrigin}/x`, method, { ...forged, ...signedIn.bearer });
      assert.equal(statusCode, 200);
      for (const name of ['remote-user', 'remote-name', 'remote-email', 'remote-groups']) assert.ok(name in headers);
      assert.equal(headers['remote-user'], ann.username);
    }
  });

  test('leaves the application the four headers and no credential, with the list that the guide prints', async () => {
    const guide = await readFile(new URL('../../../docs/forward-authentication.md', import.meta.url), 'utf8');
    const names = /authResponseHeaders: \[([^\]]+)\]/.exec(guide)?.[1]?.toLowerCase().split(', ') ?? [];
    for (const credential of [signedIn.bearer, { ...signedIn.bearer, 'remote-groups': 'admins' }]) {
      const sent: Record<string, string> = { accept: '*/*', 'remote-user': 'admin', ...credential };
      const { statusCode, headers } = await traefik(`${appOrigin}/x`, 'GET', sent);
      assert.equal(statusCode, 200);
      // Traefik deletes each header of the list, and sets those that the response has.
      const kept = Object.entries(sent).filter(([name]) => !names.includes(name));
      const copied = names.filter((name) => name in headers).map((name) => [name, headers[name]]);
      assert.deepEqual(Object.fromEntries([...kept, ...copied]), {
        accept: '*/*',
        'remote-user': ann.username,
        'remote-name': 'Ann Archer',
        'remote-email': ann.username,
        'remote-groups': '',
      });
    }
  });
});

describe('the way back to another host', () => {
  test('signs the user in there, sets a cookie for that host, and leads to the requested page', async () => {
    const browser = await signIn();
    assert.match(browser.sites.get(appOrigin)?.jar['__Host-janua'] ?? '', /^[\w-]{22}\.[\w-]{43}$/);
    const answer = await browser.ask(`${appOrigin}/other`, { accept: 'application/json' });
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.headers['remote-user'], ann.username);
  });

  test('needs no password if the user is already signed in', async () => {
    const browser = await signIn();
    const { address, answer } = await browser.open(`${otherOrigin}/y`);
    assert.equal(address, `${otherOrigin}/y`);
    assert.equal(answer.statusCode, 200);
  });

  test('names its host on the login page, even after a wrong password, but only if it is signed', async () => {
    const lead = ({ body }: { body: string }) => /class="lead">([^<]*)</.exec(body)?.[1];
    for (const origin of [appOrigin, otherOrigin]) {
      const browser = createForwardBrowser(janua);
      const { address, answer } = await browser.open(`${origin}/x?a=b`);
      assert.equal(lead(answer), `to continue to ${new URL(origin).host}`);
      const next = new URL(address).searchParams.get('next') ?? '';
      const failed = await browser.logIn(next, 'wrong');
      assert.equal(lead(await browser.ask(own + failed.headers.location)), `to continue to ${new URL(origin).host}`);
      for (const other of [
        next.replace('/auth/forward', '/auth/home'),
        next.replace(encodeURIComponent(origin), encodeURIComponent('https://evil.example')),
        next.replace(/signature=.{3}/, 'signature=abc'),
        '/auth/forward',
      ]) {
        const page = await janua.get(`/auth/login?${new URLSearchParams({ next: other })}`);
        assert.deepEqual([page.statusCode, lead(page)], [200, 'to continue to Janua'], other);
      }
    }
  });

  test('continues after a wrong password', async () => {
    const browser = createForwardBrowser(janua);
    const login = await browser.open(`${appOrigin}/x?y=1`);
    const next = new URL(login.address).searchParams.get('next') ?? '';
    const refused = await browser.logIn(next, 'wrong');
    const again = new URL(String(refused.headers.location), own);
    assert.equal(again.searchParams.get('state'), '3');
    assert.equal(again.searchParams.get('next'), next);
    const answer = await browser.logIn(again.searchParams.get('next') ?? '');
    assert.equal((await browser.open(own + answer.headers.location)).address, `${appOrigin}/x?y=1`);
  });

  test('leads over a page of ours after the login form, because CSP limits the redirects of a form', async () => {
    const browser = createForwardBrowser(janua);
    const { address } = await browser.open(`${appOrigin}/x'?y=%22`);
    const answer = await browser.logIn(new URL(address).searchParams.get('next') ?? '');
    const page = await browser.ask(own + answer.headers.location, { 'sec-fetch-site': 'same-origin' });
    assert.equal(page.statusCode, 200);
    assert.match(String(page.headers['content-type']), /^text\/html/);
    const target = /^0; url=(https:\/\/app\.example\.com\/x'\?y=%22&janua-ticket=[\w.-]+)$/.exec(
      String(page.headers.refresh),
    )?.[1];
    assert.ok(target);
    assert.ok(page.body.includes(`href="${target.replaceAll('&', '&amp;').replace("'", '&#39;')}"`));
    assert.match(String(page.headers['content-security-policy']), /form-action 'self'/);
    assert.equal(page.headers['referrer-policy'], 'strict-origin');
    // The menu of languages leads back here.
    const path = answer.headers.location?.replaceAll('&', '&amp;').replaceAll("'", '&#39;');
    assert.ok(page.body.includes(`name="next" value="${path}"`), page.body);
    assert.equal((await browser.open(target)).address, `${appOrigin}/x'?y=%22`);
  });

  test('gives a program with an access token no cookie of the host', async () => {
    const browser = createForwardBrowser(janua);
    const way = String((await browser.ask(`${appOrigin}/x`)).headers.location);
    for (const sent of [signedIn.bearer, { ...signedIn.bearer, ...signedIn.cookie }])
      assert.match(String((await browser.ask(way, { ...navigating, ...sent })).headers.location), /\/auth\/login\?/);
  });

  test('works for two windows at the same time', async () => {
    const browser = createForwardBrowser(janua);
    const [one, other] = [await browser.open(`${appOrigin}/one`), await browser.open(`${appOrigin}/two`)];
    for (const [window, expected] of [
      [one, '/one'],
      [other, '/two'],
    ] as const) {
      const answer = await browser.logIn(new URL(window.address).searchParams.get('next') ?? '');
      assert.equal((await browser.open(own + answer.headers.location)).address, appOrigin + expected);
    }
  });

  test('ends in an error page for a browser that keeps no cookies', async () => {
    const browser = createForwardBrowser(janua);
    await browser.logIn('');
    const way = await browser.ask(`${appOrigin}/x'?y=z&fuzz`);
    browser.sites.delete(appOrigin);
    const { headers } = await browser.ask(String(way.headers.location));
    const answer = await verify({ ...forwarded(String(headers.location)), ...navigating });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.body, /Allow cookies for this site/);
    assert.ok(answer.body.includes(`href="${appOrigin}/x&#39;?y=z&amp;fuzz"`), answer.body);
    assert.doesNotMatch(answer.body, /janua-ticket|stylesheet/);
    assert.equal(
      answer.headers['referrer-policy'],
      'no-referrer',
      'the referrer policy protects the ticket in the address',
    );
    const inGerman = { ...forwarded(String(headers.location)), ...navigating, 'accept-language': 'de' };
    const german = await verify(inGerman);
    assert.equal(german.headers['content-language'], 'de');
    assert.ok(german.body.includes(textsIn('de').words.forward.refusedHeading), german.body);
  });

  test('is refused with a changed address or an invalid signature', async () => {
    const browser = createForwardBrowser(janua);
    await browser.logIn('');
    const way = new URL(String((await browser.ask(`${appOrigin}/x`)).headers.location));
    for (const changes of [
      { to: `${appOrigin}/public` },
      { to: 'https://evil.example/' },
      { to: `${otherOrigin}/x` },
      { to: 'x' },
      { to: '' },
      { state: 'A'.repeat(43) },
      { signature: 'A'.repeat(43) },
      { signature: '' },
    ]) {
      const changed = new URL(way);
      for (const [name, value] of Object.entries(changes)) changed.searchParams.set(name, value);
      const answer = await browser.ask(changed.href);
      assert.equal(answer.statusCode, 400, JSON.stringify(changes));
      assert.equal(answer.headers.location, undefined);
    }
    for (const query of ['', '?to=a', `${way.search}&to=${encodeURIComponent(appOrigin)}`])
      assert.equal((await browser.ask(`${own}/auth/forward${query}`)).statusCode, 400);
  });

  test('is refused if no host is listed', async () => {
    await using other = await startJanua();
    const { cookies } = await other.post('/api/login', { username: ann.username, password });
    const headers = { cookie: `session=${cookies[0]?.value}` };
    const url = `/auth/forward?to=${encodeURIComponent(appOrigin)}&state=a&signature=b`;
    assert.equal((await other.get(url, headers)).statusCode, 400);
    assert.equal((await other.get('/auth/verify', headers)).statusCode, 200);
    const elsewhere = { ...forwarded(`${appOrigin}/x`), ...headers };
    assert.equal(
      (await other.get('/auth/verify', elsewhere)).statusCode,
      200,
      'the session cookie answers for our own origin',
    );
  });

  test('uses cookies without Secure for plain HTTP on this machine', async () => {
    const origin = 'http://localhost:3000';
    await using local = await startJanua({
      settings: { ...forwardSettings, PUBLIC_URL: own, FORWARD_AUTH_ORIGINS: [origin] },
    });
    const browser = createForwardBrowser(local);
    assert.equal(await signInAt(browser, `${origin}/x`), `${origin}/x`);
    assert.deepEqual(Object.keys(browser.sites.get(origin)?.jar ?? {}), ['janua-return', 'janua']);
  });
});

describe('a ticket', () => {
  /** Gets a new, unused ticket. */
  async function getTicket() {
    const browser = createForwardBrowser(janua);
    await browser.logIn('');
    const way = await browser.ask(`${appOrigin}/x`);
    const { headers } = await browser.ask(String(way.headers.location));
    return { browser, address: String(headers.location), kept: { ...browser.sites.get(appOrigin)?.jar } };
  }
  const statusOf = async (address: string, kept: Readonly<Record<string, string>>) => {
    const browser = createForwardBrowser(janua);
    browser.sites.set(new URL(address).origin, janua.browser({ ...kept }));
    const { statusCode, headers } = await browser.ask(address);
    return [statusCode, String(headers['set-cookie'] ?? '').includes('__Host-janua=')];
  };

  test('is accepted from the redirected browser, on its origin', async () => {
    const { address, kept } = await getTicket();
    assert.deepEqual(await statusOf(address, kept), [303, true]);
  });

  test('is refused from another browser, on another origin, after a minute, or after the session', async () => {
    const { browser, address, kept } = await getTicket();
    assert.deepEqual(await statusOf(address, {}), [400, false]);
    const another = createForwardBrowser(janua);
    await another.ask(`${appOrigin}/x`);
    assert.deepEqual(await statusOf(address, another.sites.get(appOrigin)?.jar ?? {}), [400, false]);
    assert.deepEqual(await statusOf(address.replace(appOrigin, otherOrigin), kept), [400, false]);
    assert.deepEqual(await statusOf(`${address}A`, kept), [400, false]);
    janua.pass(60_000);
    assert.deepEqual(await statusOf(address, kept), [400, false]);
    janua.pass(-60_000);
    assert.deepEqual(await statusOf(address, kept), [303, true]);
    const cookie = `__Host-session=${browser.sites.get(own)?.jar['__Host-session']}`;
    await janua.post('/auth/logout', undefined, { cookie });
    assert.deepEqual(await statusOf(address, kept), [400, false]);
  });

  test('never reaches the application, whatever client sends it', async () => {
    const { address } = await getTicket();
    const browser = await signIn();
    for (const from of [
      address,
      `${appOrigin}/x?janua-ticket=&a=b`,
      `${appOrigin}/x?a?b&janua-ticket=1&janua-ticket=2&c`,
    ]) {
      const program = await browser.ask(from, { accept: 'application/json' });
      assert.equal(program.statusCode, 401);
      const token = await browser.ask(from, signedIn.bearer);
      assert.equal(token.statusCode, 401);
      const person = await browser.ask(from);
      assert.equal(person.statusCode, 303);
      assert.equal(
        person.headers.location,
        from === address ? `${appOrigin}/x` : from.replace(/janua-ticket=[^&]*&?/g, ''),
      );
    }
  });

  test('never reaches the application in a request that cannot be repeated by a redirect', async () => {
    const { address } = await getTicket();
    const { search } = new URL(address);
    const browser = await signIn();
    const cookie = `__Host-janua=${browser.sites.get(appOrigin)?.jar['__Host-janua']}`;
    for (const [uri, method] of [
      [`/x${search}`, 'POST'],
      [`/x/%2e%2e/../y${search}`, 'GET'],
      [`/x<${search}`, 'GET'],
      [`/x${search}#`, 'GET'],
      [`x${search}`, 'GET'],
    ] as const) {
      const said = { ...forwarded(`${appOrigin}/`, method), 'x-forwarded-uri': uri };
      for (const credential of [{ cookie }, signedIn.bearer]) {
        assert.equal((await verify({ ...said, ...credential })).statusCode, 401, uri);
        const person = await verify({ ...said, ...credential, ...navigating });
        assert.deepEqual([person.statusCode, person.headers.location], [303, `${appOrigin}/`], uri);
        assert.equal(person.headers['set-cookie'], undefined);
      }
    }
  });
});

describe('the cookie of another host', () => {
  async function getCookie() {
    const browser = await signIn();
    return { browser, value: browser.sites.get(appOrigin)?.jar['__Host-janua'] ?? '' };
  }

  test('is accepted on its own origin only', async () => {
    const { value } = await getCookie();
    const asked = async (address: string, headers: Record<string, string>) =>
      (await verify({ ...forwarded(address), ...headers })).statusCode;
    assert.equal(await asked(`${appOrigin}/`, { cookie: `__Host-janua=${value}` }), 200);
    assert.equal(await asked(`${otherOrigin}/`, { cookie: `__Host-janua=${value}` }), 401);
    assert.equal(await asked(`${own}/`, { cookie: `__Host-janua=${value}; __Host-session=${value}` }), 401);
    assert.equal(await asked(`${appOrigin}/`, { cookie: `janua=${value}` }), 401);
    assert.equal(await asked(`${appOrigin}/`, { cookie: `__Host-janua=${value}; __Host-janua=${value}` }), 401);
    assert.equal(await asked(`${appOrigin}/`, { cookie: `__Host-janua=${value}x` }), 401);
    for (const token of [value, `janua_${value}`])
      assert.equal(await asked(`${appOrigin}/`, { authorization: `Bearer ${token}` }), 401);
    for (const headers of [{ cookie: `__Host-session=${value}` }, { cookie: `__Host-janua=${value}` }])
      assert.equal(await janua.isSignedIn(headers), false);
    const logout = await janua.post('/api/logout', undefined, { cookie: `__Host-janua=${value}` });
    assert.equal(logout.statusCode, 401);
  });

  test('cannot be replaced by our own cookie', async () => {
    for (const name of ['__Host-session', '__Host-janua']) {
      const cookie = signedIn.cookie.cookie.replace('__Host-session', name);
      assert.equal((await verify({ ...forwarded(`${appOrigin}/`), cookie })).statusCode, 401);
    }
  });
});

test('the log names an unlisted origin once, a limited number of them, and nothing of the request', async () => {
  await using server = await startServer({
    isTrustedPeer: () => true,
    parts: {
      requireSignedIn: async () => {
        throw new Refusal(notAuthenticated);
      },
    },
  });
  for (const path of ['/a', '/canary'])
    await server.get('/auth/verify', { ...forwarded(`https://new.example${path}`), ...navigating });
  for (let count = 0; count < 200; count++)
    await server.get('/auth/verify', { ...forwarded(`https://h${count}.example/`), ...navigating });
  const lines = server.log.filter((line) => line.includes('"forward_auth"'));
  assert.equal(lines.filter((line) => line.includes('"https://new.example"')).length, 1);
  assert.equal(lines.length, 100, 'the number of logged origins is limited');
  assert.doesNotMatch(server.log.join(), /canary/);
});

describe('groups of a signed-in user', () => {
  test('are named to the application, and decide who may open it', async () => {
    const settings = { ...forwardSettings, SCOPES: [], FORWARD_AUTH_RULES: [`${appOrigin}/admin=staff|ops`] };
    await using own = await startJanua({ settings });
    const { services } = own;
    for (const name of ['ops', 'press']) await services.administration.addGroup({ name, description: '', scopes: [] });
    const login = await own.post('/api/login', { username: ann.username, password });
    const host = new URL(appOrigin).host;
    const ask = (uri: string, more: object = {}) =>
      own.get('/auth/verify', {
        authorization: `Bearer ${login.json().access_token}`,
        'x-forwarded-proto': 'https',
        'x-forwarded-host': host,
        'x-forwarded-uri': uri,
        'x-forwarded-method': 'GET',
        ...more,
      });
    await services.administration.changeGroups(ann.username, { add: ['press'] });
    assert.equal((await ask('/')).headers['remote-groups'], 'press');
    const refused = await ask('/Admin/x');
    assert.equal(refused.statusCode, 403);
    assert.equal(refused.headers['remote-user'], undefined);
    assert.match((await ask('/admin', navigating)).body, /None of your groups may open this/);
    await services.administration.changeGroups(ann.username, { add: ['ops'] });
    const passed = await ask('/admin');
    assert.equal(passed.statusCode, 200);
    assert.equal(passed.headers['remote-groups'], 'ops,press');
    const [event] = await own.events({ order: 'newest-first', kind: 'permission-refused' });
    assert.ok(event);
    assert.equal(event.about, `${appOrigin}/admin=staff|ops`);
  });
});

describe('the page for a user whom no group lets in', () => {
  const bob = { username: 'bob@example.com', firstName: 'Bob', lastName: 'Baker', password };
  const barred = `${appOrigin}/staff/a?b=%3Cc%3E&d=1`;
  let ruled: TestJanua;
  before(async () => {
    const FORWARD_AUTH_RULES = [`${appOrigin}/staff=staff`, `${own}/staff=staff`];
    ruled = await startJanua({ settings: { ...forwardSettings, FORWARD_AUTH_RULES } });
    const { administration } = ruled.services;
    await administration.addGroup({ name: 'staff', description: '', scopes: [] });
    await administration.add(bob);
    await administration.changeGroups(bob.username, { add: ['staff'] });
  });
  after(() => ruled[Symbol.asyncDispose]());

  /** Ann in her browser, at the page that she may not open. */
  async function openBarred() {
    const browser = createForwardBrowser(ruled);
    assert.equal(await signInAt(browser, `${appOrigin}/x`), `${appOrigin}/x`);
    return { browser, page: await browser.ask(barred) };
  }
  const unescaped = (text: string) => text.replaceAll('&amp;', '&').replaceAll('&#39;', "'");
  const linksOf = (body: string) =>
    Array.from(body.matchAll(/(?:href|src|action)="([^"]*)"/g), ([, to = '']) => unescaped(to));
  const linkTo = (body: string, text: string) => unescaped(new RegExp(`href="([^"]*)">${text}<`).exec(body)?.[1] ?? '');

  test('names host and account, and a program gets the same refusal', async () => {
    const { browser, page } = await openBarred();
    assert.equal(page.statusCode, 403);
    for (const text of ['None of your groups may open this', new URL(appOrigin).host, ann.username, 'Request id'])
      assert.ok(page.body.includes(text), text);
    const program = await browser.ask(barred, { accept: 'application/json' });
    assert.deepEqual([program.statusCode, program.json().detail], [403, 'None of your groups may open this']);
    const [event] = await ruled.services.auditTrail.findByRequestId(String(program.headers['x-request-id']));
    assert.ok(event && 'kind' in event);
    assert.equal(new Map(explain(event, events)).get('Sent'), `one cookie of Janua for ${appOrigin}; no access token.`);
  });

  test('needs nothing of the host that shows it, and its policy allows its own style alone', async () => {
    await using failing = await startServer({
      isTrustedPeer: () => true,
      parts: { requireSignedIn: () => Promise.reject(new Error('broken')) },
    });
    const { page } = await openBarred();
    const broken = await failing.get('/auth/verify', { ...forwarded(barred), ...navigating });
    assert.equal(broken.statusCode, 500);
    const ticket = await createForwardBrowser(ruled).ask(`${appOrigin}/x?janua-ticket=1`);
    assert.equal(ticket.statusCode, 400);
    for (const { body, headers } of [page, broken, ticket]) {
      const style = /<style>([\s\S]*?)<\/style>/.exec(body)?.[1] ?? '';
      assert.match(style, /--ground: #/, 'the colours of the theme');
      assert.equal(
        headers['content-security-policy'],
        `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
      );
      assert.doesNotMatch(body, /<(?:script|link|form|img)/);
      assert.deepEqual(
        linksOf(body).filter((to) => !URL.canParse(to)),
        [],
      );
    }
    assert.ok(linksOf(page.body).includes(`${own}/auth/home`));
  });

  test('leads to a login with another account, even after a wrong password, and back as that user', async () => {
    const { browser, page } = await openBarred();
    const link = linkTo(page.body, 'Use another account');
    const login = await browser.ask(link);
    assert.equal(login.statusCode, 200);
    assert.match(login.body, /to continue to app\.example\.com/);
    // The menu of languages leads back here.
    assert.ok(linksOf(login.body).length > 0 && unescaped(login.body).includes(`value="${link.slice(own.length)}"`));
    assert.equal(
      (await browser.ask(`${appOrigin}/x`)).headers['remote-user'],
      ann.username,
      'Ann is signed in until then',
    );
    const next = new URL(link).searchParams.get('next') ?? '';
    const failed = await browser.logIn(next, 'wrong', bob.username);
    const again = await browser.ask(own + failed.headers.location);
    assert.match(again.body, /Incorrect username or password/);
    const answer = await browser.logIn(next, password, bob.username);
    const { address, answer: opened } = await browser.open(own + answer.headers.location);
    assert.equal(address, barred);
    assert.deepEqual([opened.statusCode, opened.headers['remote-user']], [200, bob.username]);
  });

  test('leads to the first page of the host if a link cannot repeat the request', async () => {
    const { browser } = await openBarred();
    const cookie = `__Host-janua=${browser.sites.get(appOrigin)?.jar['__Host-janua']}`;
    for (const [uri, method] of [
      ['/staff', 'POST'],
      [`/staff/${'a'.repeat(3000)}`, 'GET'],
    ] as const) {
      const headers = { ...forwarded(`${appOrigin}${uri}`, method), ...navigating, cookie };
      const { body } = await ruled.get('/auth/verify', headers);
      const next = new URL(linkTo(body, 'Use another account')).searchParams.get('next') ?? '';
      assert.equal(new URL(next, own).searchParams.get('to'), `${appOrigin}/`);
    }
  });

  test('leads back on our own host, too', async () => {
    const browser = createForwardBrowser(ruled);
    await browser.logIn('');
    const cookie = `__Host-session=${browser.sites.get(own)?.jar['__Host-session']}`;
    const headers = { ...forwarded(`${own}/staff?a=b`), ...navigating, cookie };
    const { body } = await ruled.get('/auth/verify', headers);
    assert.equal(linkTo(body, 'Use another account'), `${own}/auth/login?account=other&next=%2Fstaff%3Fa%3Db`);
  });
});
