import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { ann } from '../../janua.ts';
import { type Application, openProvider, type ProviderUnderTest, post } from './application.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

const addDevice = () =>
  server.addApplication({ own: false, isPublic: true, device: true, redirectUris: [], name: 'Television' });

type Device = openid.DeviceAuthorizationResponse;

const begin = (app: Application) => openid.initiateDeviceAuthorization(app.config, { scope: 'openid email' });

/** One request of the device, as a program sends it. */
async function poll({ clientId }: Application, { device_code }: Pick<Device, 'device_code'>) {
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code';
  const answer = await post(server, '/oidc/token', { grant_type, device_code, client_id: clientId });
  return (await answer.json()) as { error?: string; access_token?: string };
}

const passPause = () => server.janua.pass(5_000);

describe('a device', () => {
  test('gets its tokens when the user has typed its code and said yes', async () => {
    const [app, browser] = [await addDevice(), await server.browser()];
    const device = await begin(app);
    assert.equal(device.verification_uri, `${server.origin}/oidc/device`);
    assert.match(device.user_code, /^[B-DF-HJ-NP-TV-Z]{4}-[B-DF-HJ-NP-TV-Z]{4}$/);
    assert.ok((device.interval ?? 5) <= 5);
    assert.equal((await poll(app, device)).error, 'authorization_pending');
    assert.match((await browser.open('/oidc/device')).text, /name="user_code"/);
    const typed = device.user_code.toLowerCase().replace('-', ' ');
    const page = await browser.open(`/oidc/device?user_code=${encodeURIComponent(typed)}`);
    assert.match(page.text, /Television/);
    assert.match(page.text, new RegExp(`<code>${device.user_code}</code>`));
    assert.match(page.text, /<dd>\s*ann@<wbr>example\.com/, 'the account that the device gets');
    const done = await browser.submit('/oidc/device', { user_code: typed, decision: 'allow' });
    assert.match(done.url.href, /state=allowed/);
    passPause();
    const tokens = await openid.pollDeviceAuthorizationGrant(app.config, { ...device, interval: 0 });
    assert.equal(tokens.claims()?.email, ann.username);
    assert.equal(tokens.claims()?.acr, 'urn:janua:1fa');
    passPause();
    assert.equal((await poll(app, device)).error, 'invalid_grant');
  });

  test('gets a new refresh token each time, and the one before counts no more', async () => {
    const [app, browser] = [await addDevice(), await server.browser()];
    const device = await begin(app);
    await browser.submit('/oidc/device', { user_code: device.user_code, decision: 'allow' });
    const tokens = await openid.pollDeviceAuthorizationGrant(app.config, { ...device, interval: 0 });
    const refresh = (token = '') => openid.refreshTokenGrant(app.config, token);
    const second = await refresh(tokens.refresh_token);
    const third = await refresh(second.refresh_token);
    assert.equal(new Set([tokens, second, third].map((given) => given.refresh_token)).size, 3);
    await assert.rejects(refresh(tokens.refresh_token), { error: 'invalid_grant' });
  });

  test('is shown with who asks first, and when and from which address it asked', async () => {
    const [app, browser] = [await addDevice(), await server.browser()];
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { user_code } = await begin(app);
    const after = Date.now();
    const headers = { cookie: `session=${browser.cookies.get('session')?.value}`, 'sec-fetch-site': 'same-origin' };
    const answer = await fetch(`${server.origin}/api/oidc/device?user_code=${user_code}`, { headers });
    const { application, asked_at, asked_from } = (await answer.json()) as {
      readonly application: Readonly<Record<string, unknown>>;
      readonly asked_at: string;
      readonly asked_from: string;
    };
    const { name, document_host, mixes_scripts } = application;
    assert.deepEqual([name, document_host, mixes_scripts], ['Television', null, false]);
    assert.equal(asked_from, '127.0.0.1');
    const time = new Date(asked_at);
    assert.ok(Number(time) >= before && Number(time) <= after, asked_at);
    const { text } = await browser.open(`/oidc/device?user_code=${user_code}`);
    const words = text.replaceAll(/<[^>]*>|\s+/g, ' ').replaceAll(/ +/g, ' ');
    const asked = `Asked at ${textsIn('en').utc.time(time)} Asked from the address 127.0.0.1 `.replaceAll(/\s+/g, ' ');
    const who = 'Who asks An application that the operator of this site added Name Television';
    assert.ok(words.includes(`Sign in on a device T ${who} ${asked}`), words);
    assert.match(words, /keeps this when your session ends/);
  });

  test('of a forged name is marked', async () => {
    const app = await server.addApplication({ isPublic: true, device: true, redirectUris: [], name: 'Теlevision' });
    const { user_code } = await begin(app);
    const page = await (await server.browser()).open(`/oidc/device?user_code=${user_code}`);
    assert.match(page.text, /letters of several alphabets/);
  });

  test('leads a user to the login and back to its code', async () => {
    const [app, browser] = [await addDevice(), await server.browser(false)];
    const device = await begin(app);
    const page = await browser.open(device.verification_uri_complete ?? '');
    assert.match(page.url.pathname, /^\/auth\/login/);
    assert.match(page.url.searchParams.get('next') ?? '', new RegExp(device.user_code));
  });

  test('that asks too often is told to slow down', async () => {
    const app = await addDevice();
    const device = await begin(app);
    assert.equal((await poll(app, device)).error, 'authorization_pending');
    assert.equal((await poll(app, device)).error, 'slow_down');
    passPause();
    assert.equal((await poll(app, device)).error, 'authorization_pending');
  });

  test('gets nothing if the user says no, and its code is used up', async () => {
    const [app, browser] = [await addDevice(), await server.browser()];
    const device = await begin(app);
    const answer = { user_code: device.user_code, decision: 'deny' };
    assert.match((await browser.submit('/oidc/device', answer)).url.href, /state=denied/);
    assert.equal((await browser.submit('/oidc/device', { ...answer, decision: 'allow' })).status, 404);
    assert.equal((await poll(app, device)).error, 'access_denied');
  });

  test('gets nothing for a code that is wrong, of another application, or has expired', async (t) => {
    const [app, other, browser] = [await addDevice(), await addDevice(), await server.browser()];
    const device = await begin(app);
    assert.equal((await poll(app, { device_code: 'wrong' })).error, 'invalid_grant');
    assert.equal((await poll(other, device)).error, 'invalid_grant');
    const unknown = await browser.open('/oidc/device?user_code=BBBB-BBBB');
    assert.match(unknown.text, /There is no device that waits with this code/);
    assert.equal((await browser.submit('/oidc/device', { user_code: 'BBBB-BBBB', decision: 'allow' })).status, 404);
    t.mock.timers.enable({ apis: ['Date'], now: server.janua.now() + 601_000 });
    assert.match((await poll(app, device)).error ?? '', /^(expired_token|invalid_grant)$/);
    const answer = { user_code: device.user_code, decision: 'allow' };
    assert.equal((await browser.submit('/oidc/device', answer)).status, 404);
  });

  test('gets its tokens once, however many ask at a time', async () => {
    const [app, browser] = [await addDevice(), await server.browser()];
    const device = await begin(app);
    await browser.submit('/oidc/device', { user_code: device.user_code, decision: 'allow' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => poll(app, device)));
    assert.ok(answers.filter(({ access_token }) => access_token !== undefined).length <= 1);
  });

  test('is answered once, by the first of two users', async () => {
    const app = await addDevice();
    const device = await begin(app);
    const browsers = await Promise.all([server.browser(), server.browser()]);
    const answer = { user_code: device.user_code, decision: 'allow' };
    const places = await Promise.all(browsers.map((browser) => browser.submit('/oidc/device', answer)));
    assert.deepEqual(places.map(({ status }) => status).sort(), [200, 404]);
  });

  test('is not offered to an application that may not', async () => {
    const app = await server.addApplication();
    await assert.rejects(begin(app), { error: 'invalid_request' });
  });
});
