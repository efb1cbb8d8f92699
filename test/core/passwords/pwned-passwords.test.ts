import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { createPasswordPolicy } from '../../../src/core/passwords/policy.ts';
import { pwnedLimits } from '../../../src/core/passwords/pwned-passwords.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';

const ann = { username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer' };

const password = 'Correct horse battery';
const digest = hash('sha1', password, 'hex').toUpperCase();
const [prefix, rest] = [digest.slice(0, 5), digest.slice(5)];

/** 800 lines, as the service sends at least, if it was asked for padding. */
const padding = Array.from(
  { length: 800 },
  (_, index) => `${hash('sha1', String(index), 'hex').slice(5).toUpperCase()}:0`,
);

const other = `${'A'.repeat(35)}:17`;

const send =
  (...lines: readonly string[]): RequestListener =>
  (_request, response) =>
    response.writeHead(200, { 'content-type': 'text/plain' }).end(lines.join('\r\n'));

/** Starts the service and the rules that ask it. The lines of the log are kept as text. */
async function start(answer: RequestListener) {
  const service = { answer };
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    service.answer(request, response);
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const warnings: string[] = [];
  const policy = createPasswordPolicy({
    appName: 'Janua',
    breached: 'hibp',
    log: { warn: (details, message) => warnings.push(JSON.stringify([details, message])) },
    pwnedPasswordsUrl: `http://localhost:${(server.address() as AddressInfo).port}`,
  });
  return {
    service,
    requests,
    warnings,
    findCode: async (candidate = password, username = ann.username) =>
      (await policy.findFault(candidate, { ...ann, username }))?.code,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

describe('Pwned Passwords', () => {
  test('gets the first five characters of the SHA-1, and is asked for padding', async () => {
    await using fake = await start(send(other));
    await fake.findCode();
    const [request, ...more] = fake.requests;
    assert.equal(more.length, 0);
    assert.equal(`${request?.method} ${request?.url}`, `GET /range/${prefix}`);
    assert.deepEqual([request?.headers['add-padding'], request?.headers['user-agent']], ['true', 'Janua']);
    const sent = JSON.stringify([request?.url, request?.rawHeaders]);
    assert.ok(!sent.includes(rest.slice(0, 5)), 'nothing else of the digest is sent');
  });

  test('gets a question at a time of an account, too many are refused, and those of others have their turn', async () => {
    const [gate, arrived] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let held = 0;
    await using fake = await start(async (request, response) => {
      held += 1;
      if (held === 2) arrived.resolve();
      await gate.promise;
      send(other)(request, response);
    });
    const excess = 5;
    const asked = Array.from({ length: 1 + pwnedLimits.waiting + excess }, () => fake.findCode());
    const outcomes = Promise.allSettled(asked);
    const ofOther = fake.findCode(password, 'bob@example.com');
    await arrived.promise;
    assert.equal(fake.requests.length, 2);
    gate.resolve();
    assert.equal(await ofOther, undefined);
    const refused = (await outcomes).filter((outcome) => outcome.status === 'rejected');
    assert.equal(refused.length, excess);
    assert.ok(refused.every(({ reason }) => reason instanceof Unavailable));
  });

  test('is not asked about a password that is refused already', async () => {
    await using fake = await start(send(other));
    for (const refused of ['short', 'passwordpassword', 'the archer at home']) assert.ok(await fake.findCode(refused));
    assert.equal(fake.requests.length, 0);
  });

  for (const [name, lines, code] of [
    ['a password that it knows', [other, `${rest}:3`, ...padding], 'password-breached'],
    ['a password that it has seen once, on its last line', [...padding, `${rest}:1`], 'password-breached'],
    ['a password that it does not know', [other, ...padding], undefined],
    ['a password that is among its padding', [other, ...padding, `${rest}:0`], undefined],
  ] as const)
    test(`${code ? 'refuses' : 'lets pass'} ${name}`, async () => {
      await using fake = await start(send(...lines));
      assert.equal(await fake.findCode(), code);
      assert.deepEqual(fake.warnings, []);
    });
});

describe('Pwned Passwords lets every password pass', () => {
  for (const [name, reason, answer] of [
    ['if it is cut off', 'other side closed', (request) => request.socket.destroy()],
    ['if it fails', 'status 503', (_, response) => response.writeHead(503).end(`${rest}:3`)],
    ['if it redirects', 'unexpected redirect', (_, response) => response.writeHead(302, { location: '/range/' }).end()],
    ['if a page comes in its place', 'the answer has no digests', send('<!doctype html>', '<title>Log in</title>')],
    ['if the answer is empty', 'the answer has no digests', send()],
  ] as const satisfies [string, string, RequestListener][])
    test(name, async () => {
      await using fake = await start(answer);
      assert.equal(await fake.findCode(), undefined);
      assert.equal(fake.requests.length, 1);
      assert.match(String(fake.warnings), new RegExp(`"reason":"${reason}"`));
    });

  test('if nothing listens', async () => {
    const fake = await start(send(`${rest}:3`));
    await fake[Symbol.asyncDispose]();
    const { findCode, warnings } = fake;
    assert.equal(await findCode(), undefined);
    assert.match(String(warnings), /"reason":"[^"]*ECONNREFUSED/);
  });

  for (const [name, answer] of [
    ['does not answer', () => {}],
    ['stops in its answer', (_, response) => response.writeHead(200).write(`${rest}:3\r\n`)],
  ] as const satisfies [string, RequestListener][])
    test(`soon after it ${name}`, { timeout: 60_000 }, async () => {
      await using fake = await start(answer);
      assert.equal(await fake.findCode(), undefined);
      assert.match(String(fake.warnings), /timeout/);
    });

  test('if it is down, which is logged once for each outage, without the password', async () => {
    await using fake = await start(send(`${rest}:3`));
    const away: RequestListener = ({ socket }) => socket.destroy();
    for (const answer of [away, away, send(`${rest}:3`), away, away]) {
      fake.service.answer = answer;
      assert.equal(await fake.findCode(), answer === away ? undefined : 'password-breached');
    }
    assert.equal(fake.warnings.length, 2);
    for (const line of fake.warnings) {
      assert.match(line, /"event":"pwned_passwords_unavailable","reason":"\w/);
      for (const secret of [password, digest, prefix]) assert.ok(!line.toUpperCase().includes(secret.toUpperCase()));
    }
  });
});

/** Sends lines of other passwords for as long as the client reads. */
