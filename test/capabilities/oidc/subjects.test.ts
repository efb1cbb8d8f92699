import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
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

    test('that the version before has made are kept, whatever the user of a table of a team is called', async () => {
      const { subjectOf, findUserId } = createSubjects(opened);
      const [subject, owner] = ['4a25a1ee-1f5d-4a0b-9d6d-2b1c4f1f0a11', 'ann@example.com'];
      const id = hash('sha256', JSON.stringify(['7', owner]), 'base64url');
      await opened.database.insertInto('janua_subjects').values({ id, subject, user_id: '7', owner }).execute();
      for (const name of [owner, 'eve@example.com'])
        assert.equal(await subjectOf({ ...person('7', name), isNewcomer: false }), subject);
      assert.equal(await findUserId(subject), '7');
    });

    test('are found by the version before, which computes their key', async () => {
      const { subjectOf } = createSubjects(opened);
      const team = { ...person('8'), isNewcomer: false };
      for (const [user, owner] of [
        [person('own'), ''],
        [team, team.username],
      ] as const) {
        const subject = await subjectOf(user);
        const id = hash('sha256', JSON.stringify([user.id, owner]), 'base64url');
        const row = await opened.database
          .selectFrom('janua_subjects')
          .selectAll()
          .where('id', '=', id)
          .executeTakeFirst();
        assert.deepEqual({ ...row }, { id, subject, user_id: user.id, owner });
      }
    });
  });
}
