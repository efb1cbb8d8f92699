import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFindBarrier } from '../../../src/capabilities/forward-auth/rules.ts';
import { parseForwardRule } from '../../../src/ground/config/forward-rules.ts';

const app = 'https://app.example.com';
const rules = [`${app}=staff`, `${app}/Admin=admins|ops`, `${app}/admin/reports=press`].map((text) => {
  const rule = parseForwardRule(text);
  assert.ok(rule, text);
  return rule;
});
const findBarrier = createFindBarrier(rules);
const mayOpen = (uri: string | undefined, ...groups: string[]) => findBarrier(app, uri, groups) === undefined;

describe('a rule for an application or a path', () => {
  test('demands one of its groups, and the longest path decides', () => {
    for (const [uri, groups, expected] of [
      ['/', ['staff'], true],
      ['/', ['ops'], false],
      ['/', [], false],
      ['/x?y=/admin', ['staff'], true],
      ['/admin', ['staff'], false],
      ['/admin', ['ops'], true],
      ['/ADMIN/x?y', ['admins'], true],
      ['/ADMIN/x?y', ['staff'], false],
      ['/administration', ['staff'], true],
      ['/%61dmin', ['staff'], false],
      ['/my%20page/%C3%A9', ['staff'], true],
      ['/admin/reports', ['press'], true],
      ['/admin/reports', ['admins'], false],
      ['/admin/reportsx', ['admins'], true],
    ] as const)
      assert.equal(mayOpen(uri, ...groups), expected, `${uri} ${groups}`);
  });

  test('lets everybody open an origin that no rule is about', () =>
    assert.equal(findBarrier('https://wiki.example.com', '/admin', []), undefined));

  test('demands every group of the origin for a path that applications may read in another way, or that is unknown', () => {
    for (const uri of [
      undefined,
      '',
      'x',
      '//admin',
      '/x/../admin',
      '/x/..',
      '/./admin',
      '/x/%2e%2e/admin',
      '/%2561dmin',
      '/%c0%afadmin',
      '/%zz',
      '/x%2f..%2fadmin',
      '/x\\..\\admin',
      '/x;/../admin',
      '/admin;x',
      '/admin\0',
    ]) {
      assert.equal(mayOpen(uri, 'staff', 'press'), false, String(uri));
      assert.equal(mayOpen(uri, 'staff', 'ops', 'press'), true, String(uri));
    }
  });

  test('is refused if it cannot be read', () => {
    for (const text of [
      'app.example.com=staff',
      `${app}`,
      `${app}=`,
      `${app}=Staff`,
      `${app}=staff|`,
      `${app}=|`,
      `${app}/a b=staff`,
      `${app}/../x=staff`.replace('..', '%2e'),
      `${app}?x=staff`,
      'https://*.example.com=staff',
      'ftp://app.example.com=staff',
    ])
      assert.equal(parseForwardRule(text), undefined, text);
  });
});
