import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMapping } from '../../../../src/core/users/source/mapping.ts';
import { Misconfiguration } from '../../../../src/ground/faults/misconfiguration.ts';

test('USERS_COLUMNS maps the columns of the example', () => {
  const text = 'id=emp_no, username=email ,password=password,first_name=first_name,last_name=last_name';
  assert.deepEqual(parseMapping('employees', text), {
    table: 'employees',
    id: 'emp_no',
    username: 'email',
    password: 'password',
    firstName: 'first_name',
    lastName: 'last_name',
    disabled: undefined,
    groups: undefined,
  });
});

test('there is no mapping without a table', () => assert.equal(parseMapping(undefined, undefined), undefined));

for (const [table, columns, line] of [
  ['people', undefined, /go together/],
  [undefined, 'id=a,username=b,password=c', /go together/],
  ['people', 'id=a', /username=… is missing\.\n.*password=… is missing/],
  [
    'people',
    'id=a,username=b,password=c,name=d',
    /write each part as KEY=COLUMN\. The keys are id, username, password/,
  ],
  ['people', 'id=a,username=b,password=c,id=d', /id is given twice/],
  ['people', 'id=a,username=b,password=', /write each part as KEY=COLUMN/],
  ['people', 'id=a,username=b,password=c,', /write each part as KEY=COLUMN/],
  ['people', 'id=a,username=b,password=c,disabled=:x', /disabled=COLUMN/],
  ['people', 'id=a,username=b,password=c,disabled=x:', /disabled=COLUMN/],
  ['people', 'id=a,username=b,password=c,disabled=x:!', /disabled=COLUMN/],
  ['people', 'id=a,username=b,password=c,disabled=x:a||b', /disabled=COLUMN/],
  ['people', 'id=a,username=b,password=c,disabled=x:|', /disabled=COLUMN/],
  ['a.b.c', 'id=a,username=b,password=c', /SCHEMA\.TABLE/],
] as const) {
  test(`USERS_TABLE=${table} with USERS_COLUMNS=${columns} is refused`, () => {
    assert.throws(
      () => parseMapping(table, columns),
      (error) => error instanceof Misconfiguration && line.test(error.message),
    );
  });
}
