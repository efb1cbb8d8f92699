import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createSubjects } from '../../../src/capabilities/oidc/subjects.ts';
import type { User } from '../../../src/core/users/user.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';

const person = (id: string, username = 'ann@example.com'): User => ({
  ...{ id, username, firstName: 'Ann', lastName: 'Example' },
  groups: [],
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`subjects in ${engine}`, { skip: missing(engine) }, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openMigrated(engine);
    });
    after(() => opened[Symbol.asyncDispose]());

    test('are random, differ from user to user, and stay', async () => {
      const { subjectOf, findUserId } = createSubjects(opened);
      const ann = await subjectOf(person('ann'));
      assert.match(ann, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
      assert.notEqual(await subjectOf(person('bob')), ann);
      assert.equal(await subjectOf(person('ann', 'new@example.com')), ann);
      assert.equal(await findUserId(ann), 'ann');
      for (const unknown of ['', 'ann', ann.toUpperCase(), `${ann} `])
        assert.equal(await findUserId(unknown), undefined);
    });

    test('are made once by 20 first requests at a time', async () => {
      const { subjectOf } = createSubjects(opened);
      const made = await Promise.all(Array.from({ length: 20 }, () => subjectOf(person('eve'))));
      assert.equal(new Set(made).size, 1);
    });
  });
}
