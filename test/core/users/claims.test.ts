import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ann, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';

const big = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`c${index}`, 'x'.repeat(900)]));

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`stored claims in ${users}`, { skip: missing(users) }, () => {
    test('count for a user and the members of groups, and end with them', async () => {
      await using janua = await startJanua({ stores: { users, sessions: 'SQL' } });
      const { administration, claims, database } = janua.services;
      const counted = async () => claims.find((await janua.account()).user);
      await administration.addGroup({ name: 'staff', description: '', scopes: [] });
      await administration.addGroup({ name: 'press', description: '', scopes: [] });
      await administration.setGroupClaims('staff', () => ({ department: 'all', tags: ['b', 'ü'] }));
      await administration.setGroupClaims('press', () => ({ tags: ['a'] }));
      assert.deepEqual(await counted(), {});
      await administration.changeGroups(ann.username, { add: ['staff', 'press'] });
      assert.deepEqual(await counted(), { department: 'all', tags: ['a', 'b', 'ü'] });
      await administration.setClaims(ann.username, (present) => ({ ...present, department: 'research' }));
      await administration.setClaims(ann.username, (present) => ({ ...present, level: 7 }));
      assert.deepEqual(await counted(), { department: 'research', level: 7, tags: ['a', 'b', 'ü'] });
      await administration.setClaims(ann.username, (present) => ({ ...present, department: null }));
      await administration.changeGroups(ann.username, { remove: ['press'] });
      assert.deepEqual(await counted(), { department: 'all', level: 7, tags: ['b', 'ü'] });
      await administration.removeGroup('staff');
      assert.deepEqual(await counted(), { level: 7 });
      // A group of the same name begins without the claims of the former one.
      await administration.addGroup({ name: 'staff', description: '', scopes: [] });
      assert.deepEqual((await claims.findOfAllGroups()).get('staff'), undefined);
      await administration.remove(ann.username);
      assert.deepEqual(await database.selectFrom('janua_users').select('claims').execute(), []);
    });

    test('are refused where a user would have too many', async () => {
      await using janua = await startJanua({ stores: { users, sessions: 'SQL' } });
      const { administration, claims } = janua.services;
      await administration.addGroup({ name: 'staff', description: '', scopes: [] });
      await administration.changeGroups(ann.username, { add: ['staff'] });
      await administration.setClaims(ann.username, () => big(5));
      const more = { ...big(7), c0: 'y', c1: 'y', c2: 'y', c3: 'y', c4: 'y', d: 'x'.repeat(1000) };
      await assert.rejects(
        administration.setGroupClaims('staff', () => ({ ...more, e: more.d })),
        /more than 32/,
      );
      await administration.setGroupClaims('staff', () => more);
      await assert.rejects(
        administration.setClaims(ann.username, () => big(9)),
        /more than 32/,
      );
      assert.deepEqual(Object.keys(await claims.findOwn((await janua.account()).user)).length, 5);
    });
  });
