import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startWithRoutes } from '../security/routes.ts';

const root = new URL('../../src/', import.meta.url);

/** What templates write as it is: pages, and mails of plain text. */
const unescaped: Readonly<Record<string, readonly string[]>> = {
  'capabilities/admin/frame.eta': ['<%~ it.body %>'],
  'web/layout.eta': ['<%~ it.body %>'],
  'web/bare.eta': ['<%~ it.style %>', '<%~ it.body %>'],
  'core/mail/mail.text.eta': ['<%~ it.text %>', '<%~ it.app %>'],
};

/** Mail programs know no other styles. Another host has none of our files; the policy names the hash of this style. */
const withStyle = new Set(['core/mail/mail.html.eta', 'web/bare.eta']);

describe('a template', () => {
  for (const name of globSync('**/*.eta', { cwd: root })) {
    const template = readFileSync(new URL(name, root), 'utf8');

    test(`${name} escapes all its values, except the page within the layout, and includes only other templates`, () => {
      const raw = template.match(/<%[_-]?~[\s\S]*?%>/g) ?? [];
      const own = raw.filter((tag) => !/^<%~ include\('(?:\/[\w-]+)+', [^<>]+\) %>$/.test(tag));
      assert.deepEqual(own, unescaped[name] ?? []);
    });

    test(`${name} has no inline script or style, and loads nothing from another origin`, () => {
      assert.doesNotMatch(
        template,
        /<script(?![^>]*\bsrc=)|\son[a-z]+=|javascript:|(?:src|href|action)="(?:https?:)?\/\//i,
      );
      if (!withStyle.has(name)) assert.doesNotMatch(template, /<style|\sstyle=/i);
    });
  }
});

test('every page for a signed-in user has the head with the button to log out', async () => {
  const settings = { UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json' };
  const { janua, routes } = await startWithRoutes({ settings });
  await janua[Symbol.asyncDispose]();
  const views = new Set(
    routes.flatMap(({ config }) =>
      config?.signedIn || config?.scope !== undefined ? (config.view?.template ?? []) : [],
    ),
  );
  assert.ok(views.size > 30, [...views].join());
  const read = (view: string) => readFileSync(new URL(`${view}.eta`, root), 'utf8');
  for (const view of views) {
    const template = read(view);
    // A page between two sites, and pages of administrators, which their frame contains.
    if (view === 'web/leave' || template.includes("layout('/capabilities/admin/frame'")) continue;
    const included = [...template.matchAll(/include\('\/([\w/-]+)', it\.\w+\)/g)].map(([, name = '']) => read(name));
    for (const page of template.includes('layout(') ? [template] : included)
      assert.match(page, /layout\('\/web\/layout', \{[^}]*signedIn: (?:true|it\.)/, view);
  }
});
