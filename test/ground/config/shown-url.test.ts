import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownUrl } from '../../../src/ground/config/shown-url.ts';

for (const [url, shown] of [
  ['sqlite:./data/janua.db', 'sqlite:./data/janua.db'],
  ['sqlite:/var/lib/janua@2/janua.db', 'sqlite:/var/lib/janua@2/janua.db'],
  ['postgres://janua:canary@db.example.com:5433/auth', 'postgres://db.example.com:5433/auth'],
  ['postgres://db.example.com/auth?user=janua&password=canary', 'postgres://db.example.com/auth'],
  ['postgres://db.example.com/auth?sslmode=verify-full&sslpassword=canary#canary', 'postgres://db.example.com/auth'],
  ['postgres://janua:canary@%2Frun%2Fpostgresql/auth', 'postgres://%2Frun%2Fpostgresql/auth'],
  ['postgres://janua:canary@/auth?host=/run/postgresql', 'postgres:///auth'],
  ['mariadb://janua:canary@[::1]:3306/auth?socket=/run/mysqld.sock', 'mariadb://[::1]:3306/auth'],
  ['redis://:canary@redis.example.com', 'redis://redis.example.com'],
  ['redis://canary@redis.example.com/3', 'redis://redis.example.com/3'],
  ['rediss+cluster://u:canary@one:7000,two:7001,[::1]:7002', 'rediss+cluster://one:7000,two:7001,[::1]:7002'],
  ['redis+sentinel://u:canary@one,two/mymaster/2', 'redis+sentinel://one,two/mymaster/2'],
] as const) {
  test(`${url} is shown as ${shown}`, () => assert.equal(shownUrl(url), shown));
}

for (const url of [
  'postgres://janua:can@ary@db/auth',
  'postgres://janua:canary/canary@db/auth',
  'postgres://janua:c?anary@db/auth',
  'postgres://janua:c#anary@db/auth',
  'postgres://janua:canary\ncanary@db/auth',
  'postgres://janua%3Acanary%40db/auth',
  'postgres://janua:canary/auth',
  'postgres://db/auth?password=c@nary',
  'postgres://db/auth#c@nary',
  'postgres://db/auth;password=canary',
  'postgres://db/auth%3Fpassword=canary',
  'postgres://db,janua:canary/auth',
  'redis://:canary',
  'redis://user:canary',
  'redis+cluster://one,u:canary@two',
  'mysql://u:%63anary%40@db/auth?password=canary&x=@',
  'sqlite:postgres://u:canary@db/auth',
  'sqlite:./janua.db?key=canary',
  'sqlite:./janua.db#canary',
  'canary',
  'canary@db',
  'POSTGRES://u:canary@db/auth',
  '//u:canary@db',
]) {
  test(`no secret of ${JSON.stringify(url)} is shown`, () => assert.doesNotMatch(shownUrl(url), /anary|nary|c\?|can/));
}
