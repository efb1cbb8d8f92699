import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, password, startJanua } from '../janua.ts';
import { form, json, logIn } from '../web/faces.ts';

test('200 logins at once: some succeed, the others are told to come back, and everybody else is served [S54 V2.4.1 V15.2.2 VM-45]', async () => {
  await using janua = await startJanua({ settings: { HASHING_CONCURRENCY: 1, HASHING_QUEUE: 5, THROTTLE: 'off' } });
  const { cookie } = await logIn(janua.app);
  let pending = 200;
  const logins = Array.from({ length: 200 }, async () => {
    const answer = await janua.app.inject({
      method: 'POST',
      url: '/api/login',
      ...json({ username: ann.username, password }),
    });
    pending--;
    return answer;
  });
  for (const url of ['/health/live', '/auth/login']) assert.equal((await janua.app.inject(url)).statusCode, 200);
  assert.equal((await janua.app.inject({ url: '/api/me', headers: cookie })).statusCode, 200);
  assert.ok(pending > 0, 'while passwords were still being hashed');
  const answers = await Promise.all(logins);
  const refused = answers.filter(({ statusCode }) => statusCode === 503);
  for (const { headers, body } of refused) {
    assert.match(String(headers['retry-after']), /^\d+$/);
    assert.equal(headers['set-cookie'], undefined);
    assert.doesNotMatch(body, /access_token/);
  }
  assert.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 200 - refused.length);
  assert.ok(refused.length >= 150 && refused.length < 200, String(refused.length));
  assert.ok(await logIn(janua.app), 'and afterwards it goes on');
});

test('one account at one address, in many known browsers at once, keeps no login elsewhere waiting [V2.4.1 VM-40]', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'on', HASHING_CONCURRENCY: 2, HASHING_QUEUE: 60 } });
  const mallory = { username: 'mallory@example.com', password };
  await janua.people.add({ ...mallory, firstName: 'M', lastName: 'M' });
  async function send(fields: Record<string, string>, remoteAddress: string, cookie = '') {
    const { headers, payload } = form(fields);
    const url = '/api/login';
    return janua.app.inject({
      method: 'POST',
      url,
      remoteAddress,
      headers: { ...headers, cookie },
      payload: payload ?? '',
    });
  }
  const browsers: string[] = [];
  for (let index = 0; index < 35; index++) {
    const { cookies } = await send(mallory, '203.0.113.5');
    browsers.push(`browser=${cookies.find(({ name }) => name === 'browser')?.value}`);
  }
  let isOver = false;
  const storm = Array.from({ length: 140 }, async (_, index) => {
    const statuses: number[] = [];
    while (!isOver) statuses.push((await send(mallory, '203.0.113.5', browsers[index % browsers.length])).statusCode);
    return statuses;
  });
  const victims: number[] = [];
  for (let index = 0; index < 15; index++)
    victims.push((await send({ username: ann.username, password }, `198.51.100.${index}`)).statusCode);
  isOver = true;
  const refused = (await Promise.all(storm)).flat().filter((status) => status === 503);
  assert.ok(refused.length > 100, 'the storm is one');
  assert.deepEqual(victims, Array(15).fill(200));
});

test('what is too long is refused without a hash being computed [S53 V1.3.3 VM-43]', async () => {
  await using janua = await startJanua({ settings: { HASHING_CONCURRENCY: 1, HASHING_QUEUE: 0, THROTTLE: 'off' } });
  // One is computed, and nobody may wait for it: whoever needed a hash would be told to come back.
  const busy = janua.app.inject({ method: 'POST', url: '/api/login', ...json({ username: ann.username, password }) });
  const long = Array.from({ length: 20 }, (_, index) =>
    janua.app.inject({
      method: 'POST',
      url: '/api/login',
      ...json({
        username: index % 2 === 0 ? ann.username : 'nobody@example.com',
        password: 'x'.repeat(1025 + index * 3000),
      }),
    }),
  );
  const bodies = new Set<string>();
  for (const answer of await Promise.all(long)) {
    assert.equal(answer.statusCode, 400);
    bodies.add(answer.body);
  }
  assert.equal(bodies.size, 1, 'alike for everybody');
  assert.equal((await busy).statusCode, 200);
});

test('long and odd texts take no time to read, wherever they are sent [S59 V1.3.12]', async () => {
  await using janua = await startJanua();
  const texts = ['a', ' ', '=', ';', '%2f', '/..', '@', '.', ',', '\t', '(', '\\', 'a=b; '].map((piece) =>
    piece.repeat(50_000 / piece.length),
  );
  const start = performance.now();
  for (const text of texts) {
    for (const headers of [
      { cookie: `session=${text}` },
      { cookie: text },
      { authorization: `Bearer ${text}` },
      { authorization: text },
      { 'x-expected-format': text },
      { origin: `http://${text}` },
      { 'x-forwarded-for': text },
    ] as Record<string, string>[]) {
      assert.ok((await janua.app.inject({ url: '/api/me', headers })).statusCode < 500);
    }
    assert.ok((await janua.app.inject({ url: `/auth/login?next=/${encodeURIComponent(text)}` })).statusCode < 500);
  }
  // What backtracks needs hours for one of them; the bound is for a busy machine.
  assert.ok(performance.now() - start < 10_000);
});
