import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTable, splitRows, textOfRow } from '../../../../src/capabilities/oidc/clients/claim-form.ts';
import { findTableFaults } from '../../../../src/capabilities/oidc/clients/claim-rules.ts';
import { InvalidFields } from '../../../../src/core/access/refusal.ts';

/** The code of the fault, if there is one. */
function faultOf(text: string): string | undefined {
  try {
    return findTableFaults(readTable(text), ['staff', 'editors'])[0]?.code;
  } catch (error) {
    assert.ok(error instanceof InvalidFields);
    return error.faults[0]?.code;
  }
}

const usual = ['id_token', 'userinfo'] as const;

test('a table is read from rows and from JSON, and written as it is read', () => {
  const table = [
    { claim: 'roles', source: 'groups:staff,editors=editor', in: usual },
    { claim: 'kind', source: 'constant:a b = c, and more', in: ['access_token'] },
    { claim: 'https://example.com/dept', source: 'claim:department', in: ['introspection', 'id_token'] },
  ] as const;
  const rows = table.map(textOfRow);
  assert.equal(rows[0], 'roles=groups:staff,editors=editor');
  assert.equal(rows[1], 'kind@access_token=constant:a b = c, and more');
  for (const text of [rows.join('\n'), rows.join(' '), rows.join('\r\n\r\n'), JSON.stringify(table)])
    assert.deepEqual(readTable(text), table);
  assert.deepEqual(readTable('[{"claim":"a","source":"id"}]'), [{ claim: 'a', source: 'id', in: usual }]);
  assert.deepEqual(readTable(' '), []);
  // A long text of blanks and colons takes no long time.
  assert.equal(splitRows(`a=constant:${' b:c'.repeat(4000)}`).length, 1);
});

test('a table is judged row by row', () => {
  for (const [text, fault] of [
    ['roles=groups:staff', undefined],
    ['roles=constant:admin', undefined],
    ['constructor=groups', undefined],
    ['entitlements=groups\ngroups=groups:staff', undefined],
    // The name of a property that every object has.
    ['constructor=id', undefined],
    [
      'email=address\npreferred_username=handle\nnickname=handle\ndept=claim:department\nuid=id\nzoneinfo=claim:tz',
      undefined,
    ],
    ['roles', 'not-a-claim-row'],
    ['roles@=groups', 'not-a-claim-row'],
    ['roles@header=groups', 'not-a-claim-row'],
    ['roles@id_token,id_token=groups', 'not-a-claim-row'],
    ['[{"claim":"a"}]', 'not-a-claim-row'],
    ['[{"claim":"a","source":"id","in":[]}]', 'not-a-claim-row'],
    ['[{"claim":"a","source":"id","at":[]}]', 'not-a-claim-row'],
    ['[1]', 'not-a-claim-row'],
    ['[', 'not-a-claim-row'],
    ['Roles=groups', 'not-a-claim-name'],
    ['a=id\na=name', 'claim-twice'],
    ...[
      'sub',
      'email_verified',
      'iss',
      'aud',
      'acr',
      'amr',
      'sid',
      'nonce',
      'scope',
      'client_id',
      'active',
      'username',
      'cnf',
      'act',
    ].map((name) => [`${name}=id`, 'claim-of-protocol'] as const),
    ['a=password', 'not-a-claim-source'],
    ['a=claim:', 'not-a-claim-source'],
    ['a=claim:B', 'not-a-claim-source'],
    ['a=constant:', 'not-a-claim-source'],
    ['a=constant:b\u202e', 'not-a-claim-source'],
    ['a=groups:staff=', 'not-a-claim-source'],
    ['a=groups:Staff', 'not-a-claim-source'],
    ['a=groups:staff=a b', 'not-a-claim-source'],
    ['a=groups:nobody', 'unknown-group'],
    ['email=claim:mail', 'claim-not-from'],
    ['email=constant:root@example.com', 'claim-not-from'],
    ['preferred_username=claim:login', 'claim-not-from'],
    ['preferred_username=constant:root', 'claim-not-from'],
    ['roles=claim:department', 'claim-not-from'],
    ['groups=claim:department', 'claim-not-from'],
    ['entitlements=name', 'claim-not-from'],
    [Array.from({ length: 33 }, (_, index) => `c${index}=id`).join('\n'), 'too-many'],
    [`a=constant:${'x'.repeat(9000)}`, 'too-long'],
  ] as const)
    assert.equal(faultOf(text), fault, text.slice(0, 60));
});
