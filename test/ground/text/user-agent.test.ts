import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { nameClient } from '../../../src/ground/text/user-agent.ts';

const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';

const clients: readonly [userAgent: string | undefined, browser: string | undefined, system?: string][] = [
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0', 'Firefox', 'Windows'],
  [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/140.0.0.0 Safari/537.36`, 'Chrome', 'Windows'],
  [
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`,
    'Edge',
    'Windows',
  ],
  [`Mozilla/5.0 (X11; Linux x86_64) ${webkit} Chrome/140.0.0.0 Safari/537.36 OPR/124.0.0.0`, 'Opera', 'Linux'],
  [`Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${webkit} Chrome/140.0.0.0 Safari/537.36`, 'Chrome', 'ChromeOS'],
  [
    `Mozilla/5.0 (Linux; Android 15; SM-S931B) ${webkit} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36`,
    'Samsung Internet',
    'Android',
  ],
  ['Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0', 'Firefox', 'Android'],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15',
    ...(['Safari', 'macOS'] as const),
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1',
    ...(['Safari', 'iOS'] as const),
  ],
  [
    'Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1',
    ...(['Chrome', 'iPadOS'] as const),
  ],
  [`Mozilla/5.0 (X11; Linux x86_64) ${webkit} HeadlessChrome/140.0.0.0 Safari/537.36`, 'Chrome', 'Linux'],
  ['curl/8.15.0', 'curl'],
  ['python-requests/2.32.5', 'python-requests'],
  ['node', 'node'],
  ['Wget/1.25.0 (linux-gnu)', 'Wget'],
  ['Mozilla/5.0 (compatible)', undefined],
  ['Mozilla', undefined],
  ['<b>x</b>', undefined],
  [`${'x'.repeat(200)}`, 'x'.repeat(40)],
  ['', undefined],
  [undefined, undefined],
];

for (const [userAgent, browser, system] of clients) {
  test(`${browser ?? 'no name'}${system ? ` on ${system}` : ''} is read from ${userAgent?.slice(0, 60)}`, () => {
    assert.deepEqual(nameClient(userAgent), { browser, system });
  });
}

test('a client has a name in every language', () => {
  assert.equal(textsIn('en').client(clients[0]?.[0]), 'Firefox on Windows');
  assert.equal(textsIn('fr').client(clients[0]?.[0]), 'Firefox sous Windows');
  assert.equal(textsIn('de').client('curl/8'), 'curl');
  assert.equal(textsIn('de').client(undefined), 'Unbekannter Browser');
  // The JSON of a session says null, and its pages say what the user reads.
  assert.equal(textsIn('en').client(null), 'Unknown browser');
});
