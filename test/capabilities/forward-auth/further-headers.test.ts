import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { createFurtherHeaders } from '../../../src/capabilities/forward-auth/further-headers.ts';
import type { SignedIn } from '../../../src/core/access/access.ts';
import type { Claims } from '../../../src/core/users/claim-rules.ts';
import { parseForwardHeader } from '../../../src/ground/config/forward-headers.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { ann, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { appOrigin, forwarded, forwardSettings, otherOrigin, own } from './forward-browser.ts';

const headersOf = (lines: readonly string[]) =>
  lines.map((line) => parseForwardHeader(`${appOrigin} ${line}`) ?? assert.fail(line));

const sources = [
  'Remote-Dept=claim:department',
  'Remote-Tags=claim:tags',
  'Remote-Place=claim:place',
  'Remote-Role=groups:staff=writer|press',
  'Remote-All=groups',
  'Remote-Nick=handle',
  'Remote-Id=id',
  'Remote-Mail=address',
  'Remote-Preferred-Username=address',
  'Remote-Who=name',
  'Remote-Tenant=constant:Bücher & more',
];

const names = sources.map((line) => line.slice('Remote-'.length, line.indexOf('=')).toLowerCase());

const empty = Object.fromEntries(names.map((name) => [name, '']));

async function open(stores: StoreChoice = { users: 'SQLite', sessions: 'SQL' }) {
  const settings = {
    ...forwardSettings,
    FORWARD_AUTH_HEADERS: [...sources.map((line) => `${appOrigin} ${line}`), `${own} Remote-Dept=constant:here`],
    FORWARD_AUTH_RULES: [`${appOrigin}/closed=admins`],
  };
  const janua = await startJanua({ settings, stores });
  const { administration } = janua.services;
  for (const name of ['staff', 'press']) await administration.addGroup({ name, description: '', scopes: [] });
  const { bearer } = await janua.logIn();
  const verify = (address = `${appOrigin}/x`, headers: Record<string, string> = bearer) =>
    janua.get('/auth/verify', { ...forwarded(address), ...headers }, '127.0.0.1');
  const told = async (...asked: Parameters<typeof verify>) => {
    const { statusCode, headers } = await verify(...asked);
    assert.equal(statusCode, 200);
    // A header that is not sent stays undefined.
    return Object.fromEntries(
      names.map((name) => {
        const value = headers[`remote-${name}`];
        return [name, value === undefined ? undefined : Buffer.from(String(value), 'latin1').toString()];
      }),
    );
  };
  return { ...janua, administration, verify, told };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] as const)
  describe(`further headers, ${stores.users}`, {
    skip: missing(stores.users, ...(stores.sessions === 'Redis' ? (['Redis'] as const) : [])),
  }, () => {
    test('say what their sources do at the moment, to their own origin alone', async () => {
      await using janua = await open(stores);
      const { administration, told } = janua;
      const first = await told();
      assert.match(first.id ?? '', /^[\da-f-]{36}$/);
      const fixed = { ...empty, id: first.id, tenant: 'Bücher & more', who: 'Ann Archer' };
      // The user name is an address that nothing has verified, but that a command has vouched for.
      const asAnn = { ...fixed, mail: ann.username, 'preferred-username': ann.username };
      assert.deepEqual(first, asAnn);
      await administration.setClaims(ann.username, () => ({ department: 'Forschung ß' }));
      await administration.setGroupClaims('staff', () => ({ department: 'all', tags: ['b', 'c,d'] }));
      await administration.setGroupClaims('press', () => ({ tags: ['ü'], place: { city: 'Köln', floor: 3 } }));
      await administration.changeGroups(ann.username, { add: ['staff', 'press'] });
      await administration.setHandle(ann.username, 'ann');
      assert.deepEqual(await told(), {
        ...asAnn,
        dept: 'Forschung ß',
        tags: 'b,c\uFFFD{2c}d,ü',
        place: '{"city":"Köln","floor":3}',
        role: 'press,writer',
        all: 'press,staff',
        nick: 'ann',
      });
      for (const [address, expected] of [
        [`${otherOrigin}/x`, empty],
        [`${own}/x`, { ...empty, dept: 'here' }],
      ] as const)
        assert.deepEqual(await told(address), expected, address);
      await administration.removeGroup('press');
      await administration.setClaims(ann.username, () => ({}));
      const left = { dept: 'all', tags: 'b,c\uFFFD{2c}d', role: 'writer', all: 'staff', nick: 'ann' };
      assert.deepEqual(await told(), { ...asAnn, ...left });
    });
  });

test('are in no answer that refuses, nor when the claims cannot be read', async () => {
  await using janua = await open();
  const { verify } = janua;
  for (const [address, headers, status] of [
    [`${appOrigin}/x`, {}, 401],
    [`${appOrigin}/closed`, undefined, 403],
  ] as const) {
    const answer = await verify(address, headers);
    assert.equal(answer.statusCode, status);
    assert.deepEqual(
      Object.keys(answer.headers).filter((name) => name.startsWith('remote-')),
      [],
    );
  }
  const failing = mock.method(janua.services.claims, 'find', async () => {
    throw new Unavailable('database', 1);
  });
  const answer = await verify();
  assert.equal(answer.statusCode, 503);
  assert.equal(answer.headers['remote-user'], undefined);
  assert.equal((await verify(`${otherOrigin}/x`)).statusCode, 200, 'which has no header from a claim');
  failing.mock.restore();
  assert.equal((await verify()).statusCode, 200);
});

test('name the user of a token by Basic as any other', async () => {
  const rule = `${appOrigin}=staff|basic`;
  const FORWARD_AUTH_HEADERS = [`${appOrigin} Remote-Tenant=constant:x`];
  await using janua = await startJanua({
    settings: { ...forwardSettings, FORWARD_AUTH_RULES: [rule], FORWARD_AUTH_HEADERS },
  });
  await janua.services.administration.addGroup({ name: 'staff', description: '', scopes: [] });
  await janua.services.administration.changeGroups(ann.username, { add: ['staff'] });
  const fields = { name: 'Calendar', host: appOrigin, expires_in_days: 1 };
  const json = { ...(await janua.logIn()).bearer, 'content-type': 'application/json' };
  const { token } = (await janua.post('/api/account/tokens', fields, json)).json();
  const authorization = `Basic ${btoa(`${ann.username}:${token}`)}`;
  const answer = await janua.get('/auth/verify', { ...forwarded(`${appOrigin}/`), authorization }, '127.0.0.1');
  assert.deepEqual([answer.statusCode, answer.headers['remote-tenant']], [200, 'x']);
});

describe('the value of a further header', () => {
  const user = { id: '7', username: 'eve\u200B', firstName: 'E', lastName: 'Bob\r\nRemote-User: admin', groups: [] };

  async function find(lines: readonly string[], custom: Claims = {}, more: Partial<SignedIn> = {}) {
    const log: unknown[] = [];
    const further = createFurtherHeaders(headersOf(lines), () => ({
      claims: { find: async () => custom },
      ports: { subjectOf: async () => undefined },
    }));
    const ask = async () =>
      further.find(appOrigin, { user, ...more } as SignedIn, { warn: (said: object) => log.push(said) });
    await ask();
    const found = await ask();
    const texts = Object.entries(found).map(([name, text]) => [name, Buffer.from(text, 'latin1').toString()]);
    return { found: Object.fromEntries(texts), log };
  }

  test('is one line, and no two values look the same', async () => {
    const { found } = await find(['Remote-Nick=handle', 'Remote-Who=name', 'Remote-Id=id']);
    assert.deepEqual(found, {
      'remote-nick': 'eve\uFFFD{200b}',
      'remote-who': 'E Bob\uFFFD{d}\uFFFD{a}Remote-User: admin',
      'remote-id': '',
    });
    for (const [value, text] of [
      ['a,b', 'a,b'],
      [[], ''],
      [['a,b', 'c', ' d '], 'a\uFFFD{2c}b,c,\uFFFD{20}d\uFFFD{20}'],
      [[1, true, null], '1,true,null'],
      [[['a'], 'b'], '[["a"],"b"]'],
      [{ a: 'b\u200D', c: [] }, '{"a":"b\\u200d","c":[]}'],
      [7.5, '7.5'],
      [false, 'false'],
    ] as const)
      assert.deepEqual((await find(['Remote-X=claim:x'], { x: value })).found, { 'remote-x': text });
  });

  test('is an address only if it is known to be the user’s, but for the user name', async () => {
    const lines = ['Remote-Mail=address', 'Remote-Preferred-Username=address'];
    const ceo = { ...user, username: 'ceo@corp.example' };
    for (const isAddressVouched of [true, false]) {
      const { found } = await find(lines, {}, { user: ceo, isAddressVouched });
      assert.deepEqual(found, {
        'remote-mail': isAddressVouched ? ceo.username : '',
        'remote-preferred-username': ceo.username,
      });
    }
  });

  test('is left out if all are too long for the buffer of a proxy, which the log says once', async () => {
    const lines = ['Remote-A=claim:a', 'Remote-B=claim:b', 'Remote-C=claim:c'];
    const { found, log } = await find(lines, { a: 'ü'.repeat(600), b: 'b'.repeat(849), c: 'c'.repeat(848) });
    assert.deepEqual(found, { 'remote-a': 'ü'.repeat(600), 'remote-b': '', 'remote-c': 'c'.repeat(848) });
    assert.deepEqual(log, [{ event: 'forward_auth', origin: appOrigin, header: 'remote-b' }]);
  });
});

test('a header of the setting is read, or refused', () => {
  const read = ({ name, claim, source }: ReturnType<typeof headersOf>[number]) => [name, claim, source];
  assert.deepEqual(headersOf(['remote-My-Role=groups:a|b=c', 'Remote-T=constant:a=b|c']).map(read), [
    [
      'remote-my-role',
      'my_role',
      {
        kind: 'groups',
        names: new Map([
          ['a', 'a'],
          ['b', 'c'],
        ]),
      },
    ],
    ['remote-t', 't', { kind: 'constant', text: 'a=b|c' }],
  ]);
  for (const text of [
    'Remote-Dept=claim:department',
    `${appOrigin} Dept=claim:department`,
    `${appOrigin} X-Remote-Dept=claim:department`,
    `${appOrigin} Remote_Dept=claim:department`,
    `${appOrigin} Remote-=claim:department`,
    `${appOrigin} Remote-Dept-=claim:department`,
    `${appOrigin} Remote-Dept: x=claim:department`,
    `${appOrigin} Remote-${'a'.repeat(58)}=id`,
    `${appOrigin} Remote-Dept`,
    `${appOrigin} Remote-Dept=department`,
    `${appOrigin} Remote-Dept=claim:Department`,
    `${appOrigin} Remote-Dept=claim:`,
    `${appOrigin} Remote-Dept=groups:`,
    `${appOrigin} Remote-Dept=groups:a||b`,
    `${appOrigin} Remote-Dept=constant:a\nRemote-User: admin`,
    `${appOrigin} Remote-Dept=constant:a\u200b`,
    `${appOrigin}/path Remote-Dept=id`,
  ])
    assert.equal(parseForwardHeader(text), undefined, text);
});
