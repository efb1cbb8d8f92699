import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { grantsFor } from '../../../src/commands/grants.ts';
import { loadSettings } from '../../../src/ground/config/load.ts';
import { type Granted, listGrants } from '../../../src/ground/database/grants.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';

const own: Granted = { account: 'janua', ownTable: undefined, sessionsInRedis: false };
const team: Granted = { ...own, ownTable: { table: 'hr.employees', writes: 'pass"word' } };

describe('the statements that grant rights', () => {
  test("give a server a team's table if users are there", () => {
    const [ofOwn, ofTeam] = [own, team].map((granted) => listGrants('postgres', granted).join('\n'));
    assert.match(ofOwn ?? '', /^GRANT SELECT, INSERT, UPDATE, DELETE ON "janua_users" TO "janua";$/m);
    assert.doesNotMatch(ofOwn ?? '', /janua_sources/);
    assert.match(ofTeam ?? '', /^GRANT SELECT, UPDATE \("pass""word"\) ON "hr"\."employees" TO "janua";$/m);
    assert.match(ofTeam ?? '', /janua_sources/);
    assert.doesNotMatch(ofOwn ?? '', /employees/);
    const withoutPassword = listGrants('postgres', { ...team, ownTable: { table: 'employees', writes: undefined } });
    assert.equal(withoutPassword[0], 'GRANT SELECT ON "employees" TO "janua";');
  });

  test("let a server write the passwords of a team's table, or sessions, only where the settings want it", () => {
    const grants = (environment: Record<string, string>) =>
      grantsFor('janua', loadSettings({}, { DATABASE_URL: 'postgres://db.example.com/janua', ...environment })).join();
    const mapped = { USERS_TABLE: 'people', USERS_COLUMNS: 'id=no,username=email,password=secret' };
    const redis = { REDIS_URL: 'redis://redis.example.com' };
    assert.match(grants(mapped), /GRANT SELECT, UPDATE \("secret"\) ON "people" TO/);
    assert.match(grants({ ...mapped, PASSWORD_REHASH: 'off' }), /GRANT SELECT ON "people" TO/);
    assert.match(grants(mapped), /janua_sessions/);
    assert.doesNotMatch(grants(redis), /janua_sessions|people/);
  });

  test('let no server write keys and migrations, or change an event', () => {
    for (const granted of [own, team])
      for (const statement of listGrants('mysql', granted)) {
        assert.doesNotMatch(statement, /(?:INSERT|UPDATE|DELETE).*(?:janua_keys|janua_migrations)/);
        assert.doesNotMatch(statement, /UPDATE.*janua_audit/);
        assert.doesNotMatch(statement, /ALL|CREATE|DROP|ALTER/);
      }
  });

  test('leave sessions out where Redis has them', () => {
    const statements = listGrants('mysql', { ...own, account: 'janua@localhost', sessionsInRedis: true }).join('\n');
    assert.doesNotMatch(statements, /janua_sessions|janua_failures/);
    assert.match(statements, /ON `janua_users` TO 'janua'@'localhost';$/m);
  });

  for (const [engine, account] of [
    ['sqlite', 'janua'],
    ['postgres', 'janua@localhost'],
    ['postgres', 'janua"; drop table janua_users; --'],
    ['mysql', "janua'@'%"],
    ['mysql', ''],
  ] as const)
    test(`are refused in ${engine} for the account ${account}`, () => {
      assert.throws(() => listGrants(engine, { ...own, account }), Misconfiguration);
    });
});
