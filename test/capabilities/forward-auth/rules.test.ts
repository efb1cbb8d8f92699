import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ambiguousPath, createFindBarrier, createSaysRule } from '../../../src/capabilities/forward-auth/rules.ts';
import { parseForwardRule } from '../../../src/ground/config/forward-rules.ts';
import { leavingPaths, plainPaths } from './public-paths.ts';

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
      ['/stra%C3%9Fe/%E6%97%A5%E6%9C%AC/Vi%E1%BB%87t', ['staff'], true],
      ['/admin/reports', ['press'], true],
      ['/admin/reports', ['admins'], false],
      ['/admin/reportsx', ['admins'], true],
      [`/${'x'.repeat(2047)}?${'y'.repeat(9000)}`, ['staff'], true],
      [`/${'x'.repeat(2048)}`, ['staff'], false],
    ] as const)
      assert.equal(mayOpen(uri, ...groups), expected, `${uri} ${groups}`);
  });

  test('also counts for its path with an ending, together with the rule for that path', () => {
    for (const [uri, groups, expected] of [
      ['/admin.json', ['staff'], false],
      ['/admin.json', ['ops'], false],
      ['/admin.json', ['staff', 'ops'], true],
      ['/ADMIN.JSON/x?y', ['staff'], false],
      ['/ADMIN.JSON/x?y', ['staff', 'admins'], true],
      ['/%61dmin%2ejson', ['staff', 'ops'], false],
      ['/x/admin.json', ['staff'], true],
      ['/admins.json', ['staff'], true],
      ['/admin-json', ['staff'], true],
      ['/admin/x.json', ['ops'], true],
      ['/admin/reports.csv', ['ops'], false],
      ['/admin/reports.csv', ['press'], false],
      ['/admin/reports.csv', ['ops', 'press'], true],
    ] as const)
      assert.equal(mayOpen(uri, ...groups), expected, `${uri} ${groups}`);
  });

  test('also counts for letters that an application may take for those of its path', () => {
    for (const letter of ['%C3%A4', '%C3%81', '%C4%80', '%C7%8E']) {
      assert.equal(mayOpen(`/${letter}dmin/x`, 'staff'), false, letter);
      assert.equal(mayOpen(`/${letter}dmin/x`, 'ops'), false, letter);
      assert.equal(mayOpen(`/${letter}dmin/x`, 'staff', 'ops'), true, letter);
      assert.equal(mayOpen(`/${letter}dmins`, 'staff'), true, letter);
    }
    for (const path of ['/adm%C4%B1n', '/adm%C4%B0n', '/ADM%C3%8DN.json']) {
      assert.equal(mayOpen(path, 'staff'), false, path);
      assert.equal(mayOpen(path, 'staff', 'ops'), true, path);
    }
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
      '/admin;x.json',
      '/admin\0',
      // A proxy sends bytes that a browser would have encoded.
      '/é',
      '/a\u0085b',
      '/a\u00a0b',
      ...leavingPaths,
      // Controls, invisible letters and blanks.
      ...['%00', '%09', '%0A', '%7F', '%C2%85', '%C2%A0', '%C2%AD', '%E1%9A%80', '%E2%80%82', '%E2%80%8B', '%E2%80%8D'],
      ...['%E2%80%A8', '%E2%80%AE', '%E2%81%A0', '%E2%A0%80', '%E3%80%80', '%E3%85%A4', '%EF%B8%8F', '%EF%BB%BF'],
      ...['%EE%80%80', '%F3%A0%81%A1', '%F3%A0%84%80', '%CD%8F'],
      // Letters that NFKC changes, before or after they are in lower case: `ａ`, `ſ`, the sign of Kelvin, `ﬁ`, `é` of two characters.
      ...['%EF%BD%81dmin', '%C5%BFtaff', '%E2%84%AAa', '%EF%AC%81le', 'e%CC%81', '%F0%9D%90%9Admin', '%C7%84'],
    ].map((text) => (text?.startsWith('%') || text?.startsWith('e%') ? `/x${text}` : text))) {
      assert.equal(mayOpen(uri, 'staff', 'press'), false, String(uri));
      assert.equal(mayOpen(uri, 'staff', 'ops', 'press'), true, String(uri));
    }
  });

  test('demands only its own group for an ordinary path', () => {
    for (const path of plainPaths) assert.equal(mayOpen(path, 'staff'), true, path);
  });

  test('takes its words for no groups, although a table of a team may have groups of these names', () => {
    const withWords = [parseForwardRule(`${app}=staff|basic|machines`) ?? assert.fail()];
    const find = createFindBarrier(withWords);
    assert.equal(find(app, '/', ['basic', 'machines']), withWords[0]);
    assert.equal(find(app, '/', ['staff']), undefined);
  });

  test('says a word for an address if each rule that may decide does', () => {
    const rulesOf = (...texts: string[]) => texts.map((text) => parseForwardRule(text) ?? assert.fail(text));
    const saysRule = createSaysRule(rulesOf(`${app}=staff|basic`, `${app}/admin=staff`, `${app}/api=machines`));
    for (const [uri, expected] of [
      ['/', true],
      ['/dav/x', true],
      ['/admin', false],
      ['/admin.json', false],
      ['/api/x', false],
      ['/x/../y', false],
      [undefined, false],
    ] as const)
      assert.equal(saysRule('basic', app, uri), expected, String(uri));
    assert.ok(saysRule('machines', app, '/api'));
    assert.ok(!saysRule('basic', 'https://wiki.example.com', '/'));
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

test('nginx and Caddy refuse under public paths what the rules refuse', async () => {
  for (const [name, line] of [
    ['nginx-forward-auth.conf', `if ($request_uri ~* "${ambiguousPath}") {`],
    ['Caddyfile.forward-auth', `vars_regexp {http.request.orig_uri} (?i)${ambiguousPath}\n`],
  ] as const) {
    const file = await readFile(new URL(`../../../deploy/${name}`, import.meta.url), 'utf8');
    assert.equal(file.split(line).length, 2, name);
  }
});
