import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventDescription } from '../../../src/core/audit/event.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { languageNames } from '../../../src/ground/languages/languages.ts';
import { events } from '../../../src/site.ts';
import { adminPagesFor } from '../../../src/web/admin-pages.ts';
import { recorded } from '../../core/audit/events.ts';
import { completeLanguages } from '../../ground/languages/complete.ts';
import { startJanua } from '../../janua.ts';
import { signInAs } from './administrator.ts';

/** Every text of a page, and of its attributes, without what says its language. */
function textsOf(body: string): Set<string> {
  const own = body.replaceAll(
    /<(style|script|code|pre)\b.*?<\/\1>|<(?!html)(\w+)[^>]* lang="\w\w"[^>]*>.*?<\/\2>/gs,
    '',
  );
  const attributes = Array.from(own.matchAll(/(?:aria-label|alt|placeholder|title)="([^"]*)"/g), ([, text]) => text);
  return new Set([...own.split(/<[^>]*>/), ...attributes].map((text) => String(text).trim()));
}

const isSentence = (text: string) => /\p{L}{3} \p{L}/u.test(text) && !/@|^Ann Archer$|^Ada Min$/.test(text);

test('no page of administrators has an English sentence in another language', async () => {
  await using janua = await startJanua();
  const headers = await signInAs(janua, [admins]);
  const { auditTrail, users } = janua.services;
  const userId = (await users.findByUsername(`${admins}@example.com`))?.user.id ?? assert.fail();
  const every = Object.entries<EventDescription>(events).flatMap(([kind, { reasons = {} }]) =>
    [undefined, ...Object.keys(reasons)].map((reason) => ({ kind, reason, userId })),
  );
  await auditTrail.insert(every.map((event, index) => recorded(Date.now() + index, event)));
  const paths = adminPagesFor((await users.findById(userId))?.scopes ?? []).map(([path]) => path);
  const found: string[] = [];
  for (const path of [...paths, `/admin/users/${userId}`, '/admin/users/add', '/admin/audit?limit=200']) {
    const read = async (language: string) =>
      textsOf((await janua.get(path, { ...headers, 'accept-language': language })).body);
    const english = [...(await read('en'))].filter(isSentence);
    assert.ok(english.length > 0, path);
    for (const language of completeLanguages.slice(1)) {
      const own = await read(language);
      found.push(
        ...english.filter((text) => own.has(text)).map((text) => `${languageNames[language]} ${path}: ${text}`),
      );
    }
  }
  assert.deepEqual(found, []);
});
