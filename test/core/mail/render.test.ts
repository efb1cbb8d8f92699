import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadRenderer } from '../../../src/core/mail/render.ts';

const render = await loadRenderer();

const frame = {
  appName: 'Example & Co',
  language: 'de',
  values: { name: 'Ann' },
  link: 'https://auth.example.com/?token=a&x=1',
};

const words = {
  subject: 'Hello {name}',
  paragraphs: ['Dear {name}, this is {app}.', `${'word '.repeat(40)}end.`],
  action: 'Open',
  after: ['Bye'],
};

describe('a mail', () => {
  test('has its values, its link and the name of the app, as text and as HTML', () => {
    const { subject, text, html } = render(words, frame);
    assert.equal(subject, 'Hello Ann');
    assert.match(text, /^Dear Ann, this is Example & Co\.\n\n/);
    assert.match(text, /end\.\n\nhttps:\/\/auth\.example\.com\/\?token=a&x=1\n\nBye\n\n-- \nExample & Co\n$/);
    assert.match(html, /^<!doctype html>\n<html lang="de">/);
    assert.match(html, /Dear Ann, this is Example &amp; Co\./);
    assert.match(html, /<a href="https:\/\/auth\.example\.com\/\?token=a&amp;x=1" style="[^"]+">Open<\/a>/);
  });

  test('has lines of at most 72 characters, except for the link', () => {
    const link = `https://auth.example.com/${'x'.repeat(100)}`;
    const { text } = render(words, { ...frame, link });
    const long = text.split('\n').filter((line) => line.length > 72);
    assert.deepEqual(long, [link]);
    assert.equal(text.match(/word/g)?.length, 40);
  });

  test('without a link has no button', () => {
    const { text, html } = render({ subject: 'Hello', paragraphs: ['Done.'] }, { ...frame, link: undefined });
    assert.equal(text, 'Done.\n\n-- \nExample & Co\n');
    assert.doesNotMatch(html, /<a /);
  });

  test('loads nothing from elsewhere, and leaves light and dark to the mail program', () => {
    const { html } = render(words, frame);
    assert.doesNotMatch(html, /<(?:img|link|script|style|iframe|object)\b|url\(|@import/);
    assert.match(html, /<meta name="color-scheme" content="light dark">/);
  });

  test('shows markup in a value as text', () => {
    const name = '<a href="https://evil.example">&quot;</a>{app}';
    const { text, html } = render(words, { ...frame, values: { name } });
    assert.ok(text.includes(`Dear ${name},`.slice(0, 40)));
    assert.ok(html.includes('Dear &lt;a href=&quot;https://evil.example&quot;&gt;&amp;quot;&lt;/a&gt;{app}, this'));
    assert.doesNotMatch(html, /<a href="https:\/\/evil/);
  });

  test('shows a template in a value as text', () => {
    const { subject, text, html } = render(words, { ...frame, values: { name: '<%= 7 * 7 %>' } });
    assert.equal(subject, 'Hello <%= 7 * 7 %>');
    assert.match(text, /^Dear <%= 7 \* 7 %>,/);
    assert.ok(html.includes('Dear &lt;%= 7 * 7 %&gt;,'));
  });

  test('has no line that a value began', () => {
    for (const end of ['\r\n', '\n', '\r', '\u2028', '\u0085', '\0']) {
      const { subject, text } = render(words, { ...frame, values: { name: `Ann${end}Bcc: eve@example.com` } });
      assert.equal(
        subject,
        'Hello Ann\uFFFDBcc: eve@example.com'.replace('\uFFFD', end === '\r\n' ? '\uFFFD\uFFFD' : '\uFFFD'),
      );
      assert.doesNotMatch(text, /^Bcc:/m);
    }
  });
});
