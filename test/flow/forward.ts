import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  appOrigin,
  createForwardBrowser,
  type ForwardBrowser,
  forwardSettings,
  own,
  signInAt,
} from '../capabilities/forward-auth/forward-browser.ts';
import { ann, startJanua, type TestJanua } from '../janua.ts';
import type { StoreChoice } from '../stores.ts';

/** The flow for other hosts, on any stores: their access ends at once with the session. */
export function testForward(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores, settings: forwardSettings });
  });
  after(() => janua[Symbol.asyncDispose]());

  async function signIn(): Promise<ForwardBrowser> {
    const browser = createForwardBrowser(janua);
    assert.equal(await signInAt(browser, `${appOrigin}/reports?a=b`), `${appOrigin}/reports?a=b`);
    const answer = await browser.ask(`${appOrigin}/x`, {});
    assert.deepEqual(
      [answer.statusCode, answer.headers['remote-user'], answer.headers['remote-name']],
      [200, ann.username, 'Ann Archer'],
    );
    return browser;
  }

  const statusAt = async (browser: ForwardBrowser) => (await browser.ask(`${appOrigin}/x`, {})).statusCode;

  test('a ticket is refused if its user was disabled after it was given', async () => {
    const browser = await signIn();
    browser.sites.delete(appOrigin);
    const way = await browser.ask(`${appOrigin}/x`);
    const back = await browser.ask(String(way.headers.location));
    await janua.people.disable(ann.username);
    const answer = await browser.ask(String(back.headers.location));
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.headers['set-cookie'], undefined);
    await janua.people.enable(ann.username);
  });

  const endings: Record<string, (browser: ForwardBrowser) => Promise<unknown>> = {
    async 'logs out on our own pages'(browser) {
      const cookie = `__Host-session=${browser.sites.get(own)?.jar['__Host-session']}`;
      await janua.post('/auth/logout', undefined, { cookie });
    },
    'logs in again in the same browser': (browser) => browser.logIn(''),
    'gets a new password': () => janua.people.setPassword(ann.username, 'correct horse battery'),
    async 'is disabled'() {
      await janua.people.disable(ann.username);
    },
  };
  for (const [ending, end] of Object.entries(endings)) {
    test(`another host sends the user to the login again when the user ${ending}`, async () => {
      const browser = await signIn();
      await end(browser);
      assert.equal(await statusAt(browser), 401);
      const again = await browser.ask(`${appOrigin}/x`);
      assert.ok(String(again.headers.location).startsWith(`${own}/auth/forward?`));
      await janua.people.enable(ann.username);
    });
  }
}
