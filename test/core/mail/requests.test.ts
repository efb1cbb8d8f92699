import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ann, startJanua } from '../../janua.ts';
import { type Reaction, startScriptedSmtp } from './scripted-smtp.ts';

/** Each request that waited for a silent mail server would take 5 seconds. */
const requests = 8;
const patience = (requests * 5_000) / 2;

const faults: readonly [name: string, react: (command: string) => Reaction | undefined][] = [
  ['is silent', () => 'silence'],
  ['closes each connection', () => 'close'],
  ['closes the connection in the middle of a mail', (command) => (command === 'DATA.' ? 'close' : undefined)],
  ['answers 4xx', (command) => (command.startsWith('RCPT') ? { answer: '450 later' } : undefined)],
  ['answers 5xx', (command) => (command.startsWith('RCPT') ? { answer: '550 never' } : undefined)],
];

describe('requests do not notice that the mail server', { concurrency: true }, () => {
  for (const [name, react] of faults) {
    test(name, async () => {
      await using smtp = await startScriptedSmtp();
      smtp.direct(react);
      const mail = { MAIL_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM: 'janua@example.com' };
      await using janua = await startJanua({ settings: mail });
      const started = performance.now();
      for (let index = 0; index < requests; index += 1) {
        const payload = { email: index % 2 === 0 ? ann.username : `${index}@example.com` };
        const answer = await janua.app.inject({ method: 'POST', url: '/api/forgot-password', payload });
        assert.equal(answer.statusCode, 202);
      }
      assert.ok(performance.now() - started < patience);
    });
  }

  test('cannot be reached', async () => {
    const mail = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' };
    await using janua = await startJanua({ settings: mail });
    const payload = { email: ann.username };
    for (const url of ['/api/forgot-password', '/api/forgot-password']) {
      const answer = await janua.app.inject({ method: 'POST', url, payload });
      assert.equal(answer.statusCode, 202);
    }
    await janua.services.mail?.settled();
    assert.equal(await janua.services.outbox.countQueued(), 2);
  });
});
