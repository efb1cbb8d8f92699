import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';

test('a session that lies over a minute in the future is refused, and the reason says so', async () => {
  const clock = { time: Date.UTC(2030, 0, 1) };
  await using janua = await startJanua({ overrides: { now: () => clock.time } });
  const { cookie, bearer } = await janua.logIn();
  const changed = (text: string) => text.replace(/.{4}$/, 'AAAA');
  const credentials = {
    cookie,
    token: bearer,
    'made-up cookie': { cookie: changed(cookie.cookie) },
    'made-up token': { authorization: changed(bearer.authorization) },
  };
  async function refusals() {
    const found: Record<string, string | undefined> = {};
    for (const [name, headers] of Object.entries(credentials)) {
      const answer = await janua.get('/api/me', headers);
      if (answer.statusCode === 200) continue;
      const [event] = await janua.services.auditTrail.findByRequestId(String(answer.headers['x-request-id']));
      assert.ok(event && !('unreadable' in event));
      found[name] = event.detail ?? event.reason;
      if (event.detail !== undefined) assert.equal(event.reason, 'future-session');
    }
    return found;
  }
  const madeUp = { 'made-up cookie': 'dead-cookie', 'made-up token': 'invalid-token' };
  clock.time -= 60_000;
  assert.deepEqual(await refusals(), madeUp, 'clocks may differ by a minute');
  clock.time -= 8_000;
  const why = 'It lies 68 s in the future.';
  assert.deepEqual(await refusals(), { cookie: why, token: why, ...madeUp });
});
