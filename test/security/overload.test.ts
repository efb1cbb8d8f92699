import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { ann, password, startJanua } from '../janua.ts';
import { form } from '../web/faces.ts';

test('of 200 logins at once some succeed and the others get 503, while other requests are served', async () => {
  await using janua = await startJanua({ settings: { HASHING_CONCURRENCY: 1, HASHING_QUEUE: 5, THROTTLE: 'off' } });
  const { cookie } = await janua.logIn();
  let pending = 200;
  const logins = Array.from({ length: 200 }, async () => {
    const answer = await janua.post('/api/login', { username: ann.username, password });
    pending--;
    return answer;
  });
  for (const url of ['/health/live', '/auth/login']) assert.equal((await janua.get(url)).statusCode, 200);
  assert.equal((await janua.get('/api/me', cookie)).statusCode, 200);
  assert.ok(pending > 0, 'passwords are still being hashed');
  const answers = await Promise.all(logins);
  const refused = answers.filter(({ statusCode }) => statusCode === 503);
  for (const { headers, body } of refused) {
    assert.match(String(headers['retry-after']), /^\d+$/);
    assert.equal(headers['set-cookie'], undefined);
    assert.doesNotMatch(body, /access_token/);
  }
  assert.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 200 - refused.length);
  assert.ok(refused.length >= 150 && refused.length < 200, String(refused.length));
  assert.ok(await janua.logIn(), 'logins succeed again after the storm');
});

/** A server with few hashing threads, and a function that logs in. */
async function startCrowded(HASHING_QUEUE = 60) {
  const janua = await startJanua({ settings: { THROTTLE: 'on', HASHING_CONCURRENCY: 2, HASHING_QUEUE } });
  async function send(fields: Record<string, string>, remoteAddress: string, cookie = '') {
    const { headers, payload } = form(fields);
    return janua.app.inject({
      method: 'POST',
      url: '/api/login',
      remoteAddress,
      headers: { ...headers, cookie },
      payload: payload ?? '',
    });
  }
  const browserOf = ({ cookies }: Awaited<ReturnType<typeof send>>) =>
    `browser=${cookies.find(({ name }) => name === 'browser')?.value}`;
  return Object.assign(janua, { send, browserOf });
}

type Send = (index: number, round: number) => Promise<{ readonly statusCode: number }>;

/** Gives the statuses of logins, one after the other, while `senders` clients send without a pause. */
async function logInDuring(senders: number, send: Send, logins: number, logIn: Send): Promise<number[]> {
  let isOver = false;
  const storm = Array.from({ length: senders }, async (_, index) => {
    const statuses: number[] = [];
    while (!isOver) statuses.push((await send(index, statuses.length)).statusCode);
    return statuses;
  });
  const statuses: number[] = [];
  for (let index = 0; index < logins; index++) statuses.push((await logIn(index, 0)).statusCode);
  isOver = true;
  const refused = (await Promise.all(storm)).flat().filter((status) => status === 503);
  assert.ok(refused.length > 100, 'the storm fills the queue');
  return statuses;
}

/** Sends a wrong password for a new name each time. Pauses after a refusal, because the hashing threads need a core too. */
async function guess({ send }: Awaited<ReturnType<typeof startCrowded>>, name: string, address: string) {
  const answer = await send({ username: `${name}@example.com`, password: 'wrong' }, address);
  if (answer.statusCode === 503) await setTimeout(50);
  return answer;
}

const right = { username: ann.username, password };

test('one account that logs in from many known browsers at once does not delay logins from other addresses', async () => {
  await using janua = await startCrowded();
  const mallory = { username: 'mallory@example.com', password };
  await janua.people.add({ ...mallory, firstName: 'M', lastName: 'M' });
  const browsers: string[] = [];
  for (let index = 0; index < 35; index++) browsers.push(janua.browserOf(await janua.send(mallory, '203.0.113.5')));
  const victims = await logInDuring(
    140,
    (index) => janua.send(mallory, '203.0.113.5', browsers[index % browsers.length]),
    5,
    (index) => janua.send(right, `198.51.100.${index}`),
  );
  assert.deepEqual(victims, Array(5).fill(200));
});

test('guesses from ten networks do not keep out a login from another network', async () => {
  await using janua = await startCrowded(40);
  // No address has enough failures to wait.
  const storm: Send = (index, round) =>
    guess(janua, `${index}-${round}`, `2001:db8:${index % 10}:${round.toString(16)}::${index}`);
  const victims = await logInDuring(90, storm, 3, (index) => janua.send(right, `198.51.100.${index}`));
  assert.deepEqual(victims, Array(3).fill(200));
});

test('guesses from the same address do not keep the owner out of a known browser', async () => {
  await using janua = await startCrowded(40);
  const office = '203.0.113.5';
  const browser = janua.browserOf(await janua.send(right, office));
  const storm: Send = (index, round) => guess(janua, `${index}-${round}`, office);
  const victims = await logInDuring(140, storm, 5, () => janua.send(right, office, browser));
  assert.deepEqual(victims, Array(5).fill(200));
});

test('a password that is too long is refused without computing a hash', async () => {
  await using janua = await startJanua({ settings: { HASHING_CONCURRENCY: 1, HASHING_QUEUE: 0, THROTTLE: 'off' } });
  // One hash is under way and the queue has no places, so that any further hash would be refused with 503.
  const busy = janua.post('/api/login', { username: ann.username, password });
  const long = Array.from({ length: 20 }, (_, index) =>
    janua.post('/api/login', {
      username: index % 2 === 0 ? ann.username : 'nobody@example.com',
      password: 'x'.repeat(1025 + index * 3000),
    }),
  );
  const bodies = new Set<string>();
  for (const answer of await Promise.all(long)) {
    assert.equal(answer.statusCode, 400);
    const { request_id: _, ...body } = answer.json();
    bodies.add(JSON.stringify(body));
  }
  assert.equal(bodies.size, 1, 'all users get the same response');
  assert.equal((await busy).statusCode, 200);
});

test('long and odd texts are parsed in linear time, wherever they are sent', async () => {
  await using janua = await startJanua();
  const pieces = ['a', ' ', '=', ';', '%2f', '/..', '@', '.', ',', '\t', '(', '\\', 'a=b; '];
  const texts = [
    // With these, an expression that takes exponential time needs seconds. With the long ones it would never end.
    ...pieces.map((piece) => piece.repeat(27)),
    ...pieces.map((piece) => piece.repeat(50_000 / piece.length)),
  ];
  const start = process.cpuUsage();
  for (const text of texts) {
    for (const headers of [
      { cookie: `session=${text}` },
      { cookie: text },
      { authorization: `Bearer ${text}` },
      { authorization: text },
      { 'x-expected-format': text },
      { origin: `http://${text}` },
      { 'x-forwarded-for': text },
      { host: `${text}"` },
    ] as Record<string, string>[]) {
      const before = process.cpuUsage();
      assert.ok((await janua.get('/api/me', headers)).statusCode < 500);
      assert.ok(process.cpuUsage(before).user < 1_000_000, JSON.stringify(headers).slice(0, 80));
    }
    const before = process.cpuUsage();
    const url = `/auth/login?next=/${encodeURIComponent(text)}`;
    const page = await janua.get(url, { 'accept-language': `${text}!` });
    assert.ok(page.statusCode < 500);
    assert.ok(process.cpuUsage(before).user < 1_000_000, `a page for ${text.slice(0, 40)}`);
  }
  // A backtracking expression would need hours for one of them.
  assert.ok(process.cpuUsage(start).user < 10_000_000);
});
