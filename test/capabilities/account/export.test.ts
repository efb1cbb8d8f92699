import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';
import { logIn } from '../../web/faces.ts';

test('a user who exports again and again has to wait, in a page and in JSON, whatever the session', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'on' } });
  const [first, second] = [await logIn(janua.app), await logIn(janua.app)];
  const ask = (url: string, { cookie } = second) => janua.app.inject({ url, headers: cookie });
  for (let count = 0; count < 3; count += 1) assert.equal((await ask('/api/account/export', first)).statusCode, 200);
  const refused = await ask('/api/account/export');
  assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '60']);
  assert.equal(refused.json().error, 'temporarily_unavailable');
  const page = await ask('/account/export');
  assert.equal(page.statusCode, 429);
  assert.match(page.body, /Too many exports/);
});
