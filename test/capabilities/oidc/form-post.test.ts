import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { type Application, basic, openProvider, type ProviderUnderTest, post } from './application.ts';
import type { Place } from './browser.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
const readText = (text: string) => text.replaceAll(/&([\w#]+);/g, (_, name) => entities[name] ?? assert.fail(name));

/** The form that the page sends to the application. */
function readForm({ text, headers }: Place) {
  const [, action = '', inside = ''] =
    /<form id="answer" method="post" action="([^"]*)">(.*?)<\/form>/s.exec(text) ?? assert.fail(text);
  const inputs = inside.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g);
  const fields = Object.fromEntries([...inputs].map(([, name = '', value = '']) => [name, readText(value)]));
  const policy = headers.get('content-security-policy') ?? '';
  return { action: readText(action), fields, inside, formAction: /form-action ([^;]*)/.exec(policy)?.[1], policy };
}

const ask = async (app: Application, parameters: Readonly<Record<string, string>> = {}) => {
  const browser = await server.browser();
  const begun = await app.begin({ response_mode: 'form_post', ...parameters });
  const place = await browser.open(begun.address);
  // A program of the machine has to be let in each time.
  return {
    begun,
    place: place.url.pathname.startsWith('/oidc/interaction')
      ? await browser.submit(place.url, { decision: 'allow' })
      : place,
  };
};

describe('response_mode=form_post', () => {
  for (const [address, formAction] of [
    ['https://app.example.com/callback', "'self' https:"],
    ['http://localhost:3000/callback', "'self' https: http://localhost:3000"],
    ['http://127.0.0.1:3000/callback', "'self' https: http://127.0.0.1:3000"],
    ['http://[::1]:3000/callback', "'self' https: http:"],
  ] as const)
    test(`sends the code to ${address} by a page whose policy allows just that`, async () => {
      const app = await server.addApplication({ redirectUris: [address] });
      const { begun, place } = await ask(app);
      assert.deepEqual([place.isElsewhere, place.status], [false, 200]);
      const form = readForm(place);
      assert.deepEqual([form.action, form.formAction], [address, formAction]);
      const { code = '', ...rest } = form.fields;
      assert.deepEqual(rest, { state: begun.state, iss: server.origin });
      assert.equal(place.headers.get('referrer-policy'), 'strict-origin');
      const answer = await post(
        server,
        '/oidc/token',
        { grant_type: 'authorization_code', code, code_verifier: begun.verifier, redirect_uri: address },
        basic(app),
      );
      assert.equal(answer.status, 200);
    });

  test('has a button, and one script, which is a file of ours', async () => {
    const { place } = await ask(await server.addApplication());
    const { inside, policy } = readForm(place);
    assert.match(inside, /<button type="submit">/);
    assert.match(policy, /script-src 'self';/);
    assert.match(place.text, /<\/form>\s*<script src="\/assets\/submit\.js"><\/script>/);
    assert.equal(place.text.match(/<script/g)?.length, 2);
    const other = await fetch(`${server.origin}/auth/login`);
    const usual = other.headers.get('content-security-policy') ?? '';
    assert.match(usual, /form-action 'self';/);
    assert.equal(policy.replace(/form-action [^;]*/, "form-action 'self'"), usual, 'all else is as on other pages');
  });

  test('is sent by the script, although a field hides the function that sends it', async () => {
    const sent: unknown[] = [];
    class HTMLFormElement {
      submit(): void {
        sent.push(this);
      }
    }
    const form = Object.defineProperty(new HTMLFormElement(), 'submit', { value: { name: 'submit' } });
    const document = { getElementById: (id: string) => (id === 'answer' ? form : null), forms: { answer: form } };
    const script = await (await fetch(`${server.origin}/assets/submit.js`)).text();
    runInNewContext(script, { document, HTMLFormElement });
    assert.deepEqual(sent, [form]);
  });

  test('escapes what the application sent', async () => {
    const app = await server.addApplication();
    for (const state of ['"><script>alert(1)</script>', '\'"<>&amp;&lt;', '\u2028</form><form action=x>']) {
      const { place } = await ask(app, { state });
      assert.equal(readForm(place).fields.state, state);
      assert.ok(!place.text.includes('<script>'));
    }
  });

  test('carries refusals too, also those of a flow that is not offered', async () => {
    const app = await server.addApplication();
    for (const [sent, error] of [
      [{ prompt: 'none', max_age: '0' }, 'login_required'],
      [{ response_type: 'id_token' }, 'unsupported_response_type'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ resource: 'https://unknown.example.com' }, 'invalid_target'],
    ] as const) {
      const { begun, place } = await ask(app, sent);
      const { fields, action } = readForm(place);
      assert.deepEqual([fields.error, fields.state, fields.iss], [error, begun.state, server.origin], error);
      assert.equal(action, app.redirectUri);
    }
  });

  test('goes nowhere with an address that the client does not have', async () => {
    const { place } = await ask(await server.addApplication(), { redirect_uri: 'https://evil.example.com/' });
    assert.equal(place.status, 400);
    assert.ok(!place.text.includes('evil.example.com'));
  });
});

describe('a response mode that is not offered', () => {
  for (const [mode, redirectUri] of [
    ['form_post', 'com.example.app:/callback'],
    ['fragment', 'https://app.example.com/callback'],
    ['web_message', 'https://app.example.com/callback'],
    ['jwt', 'https://app.example.com/callback'],
    ['form_post.jwt', 'https://app.example.com/callback'],
    ['x', 'https://app.example.com/callback'],
  ] as const)
    test(`is refused at the application: ${mode} at ${redirectUri}`, async () => {
      const isPublic = redirectUri.startsWith('com.');
      const app = await server.addApplication({ redirectUris: [redirectUri], isPublic });
      const { begun, place } = await ask(app, { response_mode: mode });
      assert.ok(place.isElsewhere && place.url.href.startsWith(redirectUri), place.url.href);
      const answer = new URLSearchParams(place.url.search || place.url.hash.slice(1));
      assert.match(answer.get('error') ?? '', /^(invalid_request|unsupported_response_mode)$/);
      assert.deepEqual([answer.get('state'), answer.has('code')], [begun.state, false]);
    });
});
