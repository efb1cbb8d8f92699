import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DroppedMail, PreparedMail } from '../../../src/core/mail/description.ts';
import { createNotice, originOf } from '../../../src/core/mail/notice.ts';
import type { QueuedMail } from '../../../src/core/mail/outbox.ts';
import { loadRenderer } from '../../../src/core/mail/render.ts';
import { languages } from '../../../src/ground/languages/languages.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';

const render = await loadRenderer();
const notice = createNotice({ findById: async () => undefined }, () => 'https://auth.example.com')('/account/security');
const chrome = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0';
const caller = { route: 'POST /x', requestId: 'an id', address: '203.0.113.7' };
const browser = originOf({ caller: { ...caller, userAgent: chrome } });

const at = 'November 29, 2026 at 6:00\\sPM UTC';

/** The text of a notice, each paragraph in one line. */
async function textOf(purpose: string, details: Record<string, string>, language = 'en'): Promise<string> {
  const mail = { purpose, details, language, address: 'ann@example.com', createdAt: Date.UTC(2026, 10, 29, 18) };
  const prepared = (await notice.prepare(mail as unknown as QueuedMail)) as Exclude<
    PreparedMail | DroppedMail,
    DroppedMail
  >;
  const words = textsIn('en').words.mails[purpose] ?? assert.fail(purpose);
  const { text } = render(words, { ...prepared, appName: 'Example' });
  return text.replaceAll(/(?<!\n)\n(?!\n)/g, ' ');
}

describe('a notice says', () => {
  for (const [purpose, details, says] of [
    ['factors-changed', { what: 'passkey-added', name: 'iCloud Keychain' }, 'A passkey (iCloud Keychain) was added.'],
    ['factors-changed', { what: 'passkey-removed', name: '' }, 'A passkey was removed.'],
    ['factors-changed', { what: 'app-replaced' }, 'The authenticator app was replaced by another one.'],
    ['factors-changed', { what: 'recovery-codes-renewed' }, 'New recovery codes have replaced the old ones.'],
    ['sign-in-methods-changed', { what: 'identity-linked', provider: 'Google' }, 'An account at Google was linked.'],
    ['recovery-code-used', { left: '9' }, 'You have 9 left.'],
    ['password-changed', { what: 'password-changed' }, 'was changed.'],
    ['email-changed', { former: 'a@example.com', email: 'b@example.com' }, 'from a@example.com to b@example.com'],
    // Of an older version.
    ['factors-changed', {}, 'Your second factors were changed.'],
  ] as const)
    test(`what happened and from where: ${says}`, async () => {
      const text = await textOf(purpose, { ...details, ...browser });
      assert.ok(text.includes(says), text);
      assert.match(text, new RegExp(`From: Chrome on macOS, 203\\.0\\.113\\.7, ${at}`));
      assert.match(text, /If this was not you/);
      assert.doesNotMatch(text, /\{\w+\}/);
    });

  test('who did it, without the address of an administrator', async () => {
    for (const [by, says] of [
      [{ actorId: 'ada', caller }, 'an administrator'],
      [{ caller: { route: 'janua users', operator: 'root' } }, 'the operator of the server'],
    ] as const) {
      const text = await textOf('factors-changed', { what: 'factors-removed', ...originOf(by) });
      assert.match(text, new RegExp(`From: ${says}, ${at}`));
      assert.doesNotMatch(text, /203\.0/);
    }
  });

  test('no place of its words that a value names, and begins no line with a value', async () => {
    const hostile = 'x{app}\n\nCall 555';
    const text = await textOf('sign-in-methods-changed', { what: 'identity-linked', provider: hostile, ...browser });
    assert.match(text, /An account at x\{app\}[^\n]*Call 555 was linked/);
    const agent = originOf({ caller: { ...caller, userAgent: 'evil\r\nCall 555' } });
    assert.match(await textOf('password-changed', agent), /From: evil, 203/);
  });

  test('each change in the language of the user', async () => {
    for (const language of languages.slice(1)) {
      const { changes, from } = textsIn(language).words.notices;
      for (const [what, sentence] of Object.entries(changes)) {
        const text = await textOf('factors-changed', { what, name: '', provider: 'x', ...browser }, language);
        assert.ok(text.includes(textsIn(language).interpolate(sentence, { name: '', provider: 'x' })), text);
        assert.ok(text.includes(from.split('{')[0] ?? '?'), text);
      }
    }
  });
});
