import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as openid from 'openid-client';
import { stampOf } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import type { SignedIn } from '../../client.ts';
import { insertSample, keyOf } from '../../ground/database/sample-rows.ts';
import { ann } from '../../janua.ts';
import { sessionCookie } from '../../web/faces.ts';
import { signInWith } from '../admin/administrator.ts';
import { openProvider } from '../oidc/application.ts';

const stamped = ['janua_tokens', 'janua_trusted_browsers', 'janua_pending_logins'] as const;

/** Ann with two sessions, and all that may act for her without one. */
async function open() {
  const provider = await openProvider();
  const { janua } = provider;
  const { services } = janua;
  const account = await janua.account();
  const { user } = account;
  const native = await provider.addApplication({ own: false });
  const browser = await provider.browser();
  const begun = await native.begin({ scope: 'openid offline_access', prompt: 'consent' });
  const asked = await browser.open(begun.address);
  const answer = await browser.submit(asked.url, { decision: 'allow' });
  const { refresh_token: refreshToken = '' } = await native.finish(begun, answer.url);
  const made = await services.hold(provedBy(account), (held) =>
    services.personalTokens.create(held, { name: 'report', scopes: [], days: 9 }),
  );
  for (const table of stamped)
    await insertSample(services.database, table, { user_id: user.id, [keyOf(table)]: 'x', stamp: stampOf(account) });
  const [own, other] = [await janua.logIn(), await janua.logIn()];
  const mayRefresh = () =>
    openid.refreshTokenGrant(native.config, refreshToken).then(
      () => true,
      () => false,
    );
  return {
    ...janua,
    ...{ janua, user, own, other, mayRefresh },
    before: account,
    counts: () => janua.isSignedIn({ authorization: `Bearer ${made.token}` }),
    async left() {
      const rows = stamped.map((table) => services.database.selectFrom(table).select('user_id').execute());
      const counts = (await Promise.all(rows)).map(
        (found) => found.filter(({ user_id }) => user_id === user.id).length,
      );
      return [...counts, (await services.ports.listApplications(user)).length];
    },
    async endMails() {
      const mails = services.database.selectFrom('janua_mails').select(['purpose', 'details']).execute();
      return (await mails)
        .filter(({ purpose }) => purpose === 'sessions-ended')
        .map(({ details }) => JSON.parse(details));
    },
    [Symbol.asyncDispose]: provider[Symbol.asyncDispose],
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** How all sessions of Ann are ended, and who tells her so. */
const ways: Readonly<
  Record<string, { readonly keepsOwn?: true; end(opened: Opened, endsTokens: boolean): Promise<string | undefined> }>
> = {
  'the user on the page': {
    keepsOwn: true,
    async end({ app, own }, endsTokens) {
      const headers = { ...own.cookie, 'content-type': 'application/x-www-form-urlencoded' };
      const payload = endsTokens ? 'end_tokens=on' : '';
      const url = '/account/sessions/end-others';
      const answer = await app.inject({ method: 'POST', url, headers, payload });
      assert.equal(answer.statusCode, 303, answer.body);
      return sessionCookie(answer);
    },
  },
  'the user by the API': {
    keepsOwn: true,
    async end({ post, own }, endsTokens) {
      const fields: Record<string, string> = endsTokens ? { end_tokens: 'on' } : {};
      const answer = await post('/api/account/sessions/end-others', fields, own.bearer);
      assert.equal(answer.statusCode, 200, answer.body);
      assert.ok(answer.json().access_token);
      return sessionCookie(answer);
    },
  },
  'an administrator': {
    async end({ post, janua, user }, endsTokens) {
      const helper = await signInWith(janua, 'sessions:write');
      const fields: Record<string, string> = endsTokens ? { end_tokens: 'on' } : {};
      const answer = await post(`/api/admin/users/${user.id}/end-sessions`, fields, helper);
      assert.equal(answer.statusCode, 200, answer.body);
      return undefined;
    },
  },
  'a command': {
    async end({ services }, endsTokens) {
      await services.administration.endSessions(ann.username, { endsTokens });
      return undefined;
    },
  },
};

describe('the end of all sessions', () => {
  for (const [name, { keepsOwn = false, end }] of Object.entries(ways))
    for (const endsTokens of [false, true])
      test(`by ${name} ends what acts without a session${endsTokens ? ', and personal tokens' : ''}`, async () => {
        await using opened = await open();
        const { own, other, user } = opened;
        assert.deepEqual(
          [await opened.mayRefresh(), await opened.counts(), await opened.left()],
          [true, true, [1, 1, 1, 1]],
        );
        const renewed = await end(opened, endsTokens);
        assert.notEqual(stampOf(await opened.account()), stampOf(opened.before));
        assert.deepEqual([await opened.mayRefresh(), await opened.counts()], [false, !endsTokens]);
        assert.deepEqual(await opened.left(), [0, 0, 0, 0]);
        const living = (one: SignedIn) => opened.isSignedIn(one.cookie);
        assert.deepEqual([await living(own), await living(other)], [false, false]);
        assert.equal(renewed !== undefined, keepsOwn);
        if (renewed !== undefined) assert.ok(await opened.isSignedIn({ cookie: `session=${renewed}` }));
        const [ended, ...more] = await opened.events({ kind: 'sessions-ended' });
        const reasons = [...(keepsOwn ? ['by-its-user'] : []), ...(endsTokens ? ['with-tokens'] : [])];
        assert.deepEqual(
          [ended?.reason, ended?.userId, ended?.count],
          [reasons.join('+') || undefined, user.id, keepsOwn ? 2 : 3],
        );
        assert.deepEqual(more, []);
        const [mail, ...others] = await opened.endMails();
        assert.deepEqual(others, []);
        const by = name === 'an administrator' ? 'administrator' : name === 'a command' ? 'operator' : undefined;
        assert.equal(mail?.by, by);
      });
});
