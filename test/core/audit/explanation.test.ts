import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type {
  AuditEvent,
  CallerTrace,
  EventDescription,
  Reason,
  RecordedEvent,
} from '../../../src/core/audit/event.ts';
import { explain as explainBy } from '../../../src/core/audit/explanation.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { events } from '../../../src/site.ts';
import { caller, recorded } from './events.ts';

const { trace } = caller;

const explain = (event: RecordedEvent, username?: string) => explainBy(event, events, { username });

const reasonsOf = (kind: keyof typeof events): Readonly<Record<string, Reason>> =>
  (events[kind] as EventDescription).reasons ?? {};

const user = 'ann@example.com';

/** The explanation as an object. Texts under the same heading become lines. */
function explained(event: Partial<AuditEvent>, username?: string): Record<string, string> {
  const byHeading: Record<string, string[]> = {};
  for (const [heading, text] of explain(recorded(Date.UTC(2026, 0, 1, 2, 3, 4, 5), event), username))
    byHeading[heading] = [...(byHeading[heading] ?? []), text];
  return Object.fromEntries(Object.entries(byHeading).map(([heading, texts]) => [heading, texts.join('\n')]));
}

const traced = (changes: Partial<CallerTrace>, address?: string) => ({
  caller: { ...caller, address, trace: { ...trace, ...changes } },
});

const kinds = Object.keys(events) as (keyof typeof events)[];

const reasonCases = kinds.flatMap((kind) =>
  Object.entries(reasonsOf(kind)).map(([reason, said]) => ({ kind, reason, said })),
);

test('an explanation goes from the request to the advice', () => {
  assert.deepEqual(
    explain(
      recorded(Date.UTC(2026, 0, 1, 2, 3, 4, 5), {
        throttle: [
          { kind: 'account', failures: 1, waitSeconds: 0, stopped: false },
          { kind: 'pair', failures: 4, waitSeconds: 0, stopped: false },
        ],
        knownBrowser: true,
      }),
      user,
    ),
    [
      ['When', '2026-01-01 02:03:04.005 UTC'],
      ['Asked', 'POST /auth/token, answered as to a browser'],
      ['Decided', 'The login was refused: the password was wrong, and the user exists.'],
      ['User', 'ann@example.com (id user-1)'],
      ['Address', '203.0.113.7: the connection itself comes from there.'],
      ['Throttle', 'the account, from anywhere (account): 1 failure before this attempt; no wait.'],
      ['Throttle', 'the account, from this address (pair): 4 failures before this attempt; no wait.'],
      ['Browser', 'known: this user has signed in with it before.'],
      ['Sent', 'one session cookie; no access token.'],
      [
        'Origin',
        'expected https://auth.example.com; sent Sec-Fetch-Site: same-origin, Origin: https://auth.example.com.',
      ],
      ['Client', 'calls itself Mozilla/5.0'],
      ['To do', 'If the user forgot it: janua users set-password ann@example.com.'],
    ],
  );
});

test('events of a command or of the server itself are explained without the missing fields', () => {
  assert.deepEqual(
    explain(
      recorded(0, {
        kind: 'sessions-ended',
        reason: undefined,
        count: 2,
        caller: { route: 'janua users disable', operator: 'root' },
      }),
    ),
    [
      ['When', '1970-01-01 00:00:00.000 UTC'],
      ['Asked', 'janua users disable, run by root'],
      [
        'Decided',
        'All sessions of a user were ended, and what applications, browsers and links could do without one (2).',
      ],
      ['User', 'no longer a user or program (id user-1)'],
    ],
  );
  const { Asked, Decided } = explained({
    kind: 'events-left-out',
    reason: 'access-refused',
    count: 9,
    caller: { route: 'audit' },
  });
  assert.equal(Asked, 'nothing: the server recorded this by itself');
  assert.match(Decided ?? '', /only counted: access-refused \(9\)\.$/);
});

describe('every kind', () => {
  for (const kind of kinds) {
    test(`${kind} has a wording of its own`, () => {
      const { Decided = '' } = explained({ kind, reason: undefined });
      assert.match(Decided, /^[A-Z].*\.$/);
      const others = kinds
        .filter((other) => other !== kind)
        .map((other) => explained({ kind: other, reason: undefined }).Decided);
      assert.ok(!others.includes(Decided));
    });
  }
});

describe('every reason', () => {
  for (const { kind, reason, said } of reasonCases) {
    test(`${kind}: ${reason} has its words and its advice`, () => {
      const { Decided, 'To do': toDo } = explained({ kind, reason }, user);
      assert.ok(Decided?.endsWith(`: ${said.words}.`));
      assert.equal(toDo, said.advice?.replaceAll('EMAIL', user));
      // The id of the client stands in commands, and not in words such as "ID token".
      const { 'To do': filled = '' } = explained({ kind, reason, about: 'client-7' }, user);
      assert.ok(
        filled
          .split('client-7')
          .every(
            (before, index, all) =>
              index + 1 === all.length || / (?:show|set|rotate-secret|remove|enable|grant|add) $/.test(before),
          ),
        filled,
      );
    });
  }

  test('each step of a login, and what follows a reason, is said in the language of the reader', () => {
    for (const [kind, reason, said] of [
      ['login-succeeded', 'password+totp', 'Passwort + Authenticator-App.'],
      ['login-succeeded', 'upstream+of-a-newer-version', 'anderer Anbieter + of-a-newer-version.'],
      ['throttle-lifted', 'address 2001:db8::1', 'Adresse 2001:db8::1.'],
    ] as const) {
      const lines = explainBy(recorded(0, { kind, reason }), events, {}, textsIn('de').tell);
      assert.equal(new Map(lines).get('Entscheidung')?.split(': ').slice(1).join(': '), said);
    }
  });

  test('a reason that this version does not know is shown unchanged', () => {
    assert.match(
      explained({ reason: 'of-a-newer-version' }).Decided ?? '',
      /^The login was refused: of-a-newer-version\.$/,
    );
    for (const reason of ['toString', '__proto__', 'constructor'])
      assert.equal(explained({ reason }).Decided, `The login was refused: ${reason}.`);
  });
});

test('an explanation says how the server derived the address', () => {
  const proxy = '10.0.0.1';
  const cases: readonly (readonly [Partial<CallerTrace>, string | undefined, RegExp])[] = [
    [{}, '203.0.113.7', /^203\.0\.113\.7: the connection itself comes from there\.$/],
    [
      { forwardedFor: '1.2.3.4' },
      '203.0.113.7',
      /X-Forwarded-For says 1\.2\.3\.4, which does not count: .* TRUSTED_PROXIES/,
    ],
    [
      { peer: proxy, forwardedFor: '6.6.6.6, 1.2.3.4', addressFrom: 'trusted-proxy' },
      '1.2.3.4',
      /^1\.2\.3\.4: the first address from the right.* trusted proxy 10\.0\.0\.1; X-Forwarded-For says 6\.6\.6\.6, 1\.2\.3\.4\.$/,
    ],
    [
      { peer: proxy, addressFrom: 'unknown' },
      undefined,
      /^unknown: the trusted proxy 10\.0\.0\.1 sent no X-Forwarded-For\.$/,
    ],
    [
      { peer: proxy, forwardedFor: 'x', addressFrom: 'unknown' },
      undefined,
      /sent no readable address of a client: X-Forwarded-For says x\.$/,
    ],
    [{ peer: undefined, addressFrom: 'unknown' }, undefined, /^unknown: the connection was closed/],
  ];
  for (const [changes, address, expected] of cases)
    assert.match(explained(traced(changes, address)).Address ?? '', expected);
});

test('an explanation of a program names it as one, and puts its id into the advice', () => {
  const about = { program: 'HR\u001B', actor: undefined };
  for (const reason of ['program-lacks-scope', 'beyond-program']) {
    const event = { kind: 'permission-refused', reason, userId: 'hr', about: 'users' };
    const lines = new Map(explainBy(recorded(0, event), events, about));
    assert.deepEqual([lines.get('User'), lines.get('Program')], [undefined, 'HR\uFFFD (id hr)']);
    assert.match(lines.get('To do') ?? '', /janua clients show hr .*janua clients set hr --scope … --within …/);
    assert.doesNotMatch(lines.get('To do') ?? '', /janua users/);
  }
});

test('a user name cannot inject control characters', () => {
  assert.equal(explained({}, 'a$&\u001B[2J@\u202E').User, 'a$&\uFFFD[2J@\uFFFD (id user-1)');
});

describe('a command of the advice has no text that a shell would run', () => {
  for (const sent of [
    'a`reboot`@b.example',
    'a|b@c.example',
    'a&b',
    '$(x)',
    "a'b",
    'a b',
    'a;b',
    '-a',
    'a>b',
    'a\n',
    '#a',
  ])
    test(JSON.stringify(sent), () => {
      const command = 'janua users set-password EMAIL.';
      assert.equal(explained({}, sent)['To do'], `If the user forgot it: ${command}`);
      const kind = 'application-refused';
      for (const reason of Object.keys(reasonsOf(kind)))
        assert.equal(
          explained({ kind, reason, about: sent, groups: [sent] })['To do'],
          explained({ kind, reason, about: '', groups: [] })['To do'],
        );
    });

  for (const name of ['ann@example.com', 'ann+x_1.y-z@example.com', 'jürgen@example.com', '用户@example.com'])
    test(`but a plain name: ${name}`, () => {
      assert.equal(explained({}, name)['To do'], `If the user forgot it: janua users set-password ${name}.`);
    });
});

test('an explanation says which credentials and origin the client sent', () => {
  assert.equal(
    explained(traced({ cookie: 'several', accessToken: 'sent' })).Sent,
    'several session cookies; an access token.',
  );
  assert.equal(explained(traced({ cookie: 'none' })).Sent, 'no session cookie; no access token.');
  const cookieOf = 'https://app.example.com';
  assert.equal(
    explained(traced({ cookie: 'one', cookieOf })).Sent,
    `one cookie of Janua for ${cookieOf}; no access token.`,
  );
  assert.equal(
    explained(traced({ cookie: 'several', cookieOf })).Sent,
    `several cookies of Janua for ${cookieOf}; no access token.`,
  );
  assert.match(
    explained(traced({ origin: undefined, fetchSite: undefined, expectedOrigins: ['https://a', 'https://b'] }))
      .Origin ?? '',
    /^expected https:\/\/a or https:\/\/b; neither Origin nor Sec-Fetch-Site was sent\.$/,
  );
});

test('an explanation says whether the user has used the browser before', () => {
  assert.equal(explained({}).Browser, undefined);
  assert.match(explained({ knownBrowser: false }).Browser ?? '', /not from a login of this user/);
  assert.match(
    explained({ knownBrowser: false, ...traced({ browserCookie: 'none' }) }).Browser ?? '',
    /sent no browser cookie/,
  );
  assert.match(explained({ knownBrowser: false, userId: undefined, nameDigest: 'd' }).Browser ?? '', /no such user/);
});

describe('an explanation of the throttle', () => {
  const blocked = { kind: 'login-throttled', reason: undefined } as const;
  const key = { kind: 'pair', failures: 6, waitSeconds: 12, stopped: false } as const;

  test('says which key has to wait, and how long', () => {
    const { Throttle, 'To do': toDo } = explained({ ...blocked, throttle: [key] }, user);
    assert.equal(Throttle, 'the account, from this address (pair): 6 failures before this attempt; must wait 12 s.');
    assert.equal(toDo, 'Wait 12 s, or janua throttle lift ann@example.com.');
    for (const [waitSeconds, words] of [
      [119, '119 s'],
      [120, '2 min'],
      [7199, '120 min'],
      [7201, '3 h'],
    ] as const)
      assert.match(
        explained({ ...blocked, throttle: [{ ...key, waitSeconds }] })['To do'] ?? '',
        new RegExp(`Wait ${words},`),
      );
  });

  test('says how an operator lets a stopped account in again', () => {
    const stopped = [{ ...key, kind: 'account', waitSeconds: 0, stopped: true }] as const;
    const { Throttle, 'To do': toDo } = explained({ ...blocked, throttle: stopped }, user);
    assert.match(Throttle ?? '', /\(account\): 6 failures before this attempt; stopped\.$/);
    assert.match(toDo ?? '', /^The block does not expire: .*set-password ann@example\.com.*lift ann@example\.com/);
    assert.match(
      explained({ kind: 'account-stopped', reason: undefined })['To do'] ?? '',
      /^The block does not expire/,
    );
  });

  test('says how to lift a shared address, and which proxy setting may be wrong', () => {
    const shared = { ...key, kind: 'address', waitSeconds: 40 } as const;
    const throttle = [shared];
    const lift = 'Wait 40 s, or for all users at that address: janua throttle lift --address';
    const ofAddress = { ...blocked, throttle: [shared, { ...key, waitSeconds: 0 }] };
    assert.equal(explained(ofAddress, user)['To do'], `${lift} 203.0.113.7.`);
    assert.equal(
      explained({ ...blocked, throttle: [shared, key] }, user)['To do'],
      `Wait 12 s, or janua throttle lift ann@example.com.\n${lift} 203.0.113.7.`,
    );
    const ofEndSite = explained({
      ...blocked,
      throttle: [{ ...shared, kind: 'end-site' }],
      ...traced({}, '2001:db8:1:2::3'),
    });
    assert.equal(ofEndSite['To do'], `${lift} 2001:db8:1::/48.`);
    const behind = traced({ forwardedFor: '1.2.3.4' }, '10.0.0.1');
    assert.match(explained({ ...blocked, throttle, ...behind })['To do'] ?? '', /name the proxy in TRUSTED_PROXIES/);
    const silent = traced({ addressFrom: 'unknown' });
    const [first, second] = (explained({ ...blocked, throttle, ...silent }, user)['To do'] ?? '').split('\n');
    assert.equal(first, `${lift} unknown.`);
    assert.match(second ?? '', /Configure the trusted proxy to send X-Forwarded-For/);
  });
});

test('an explanation of a cross-site refusal names the setting for an origin of our own', () => {
  const refused = { kind: 'cross-site-refused', reason: undefined } as const;
  const other = traced({ origin: 'https://other.example', fetchSite: undefined });
  const toDo = explained({ ...refused, ...other })['To do'] ?? '';
  assert.match(toDo, /at https:\/\/other\.example, set PUBLIC_URL to it/);
  assert.match(toDo, /CORS_ORIGINS/);
  const ours = explained({ ...refused, ...traced({ fetchSite: 'cross-site' }) })['To do'] ?? '';
  assert.match(ours, /Sec-Fetch-Site was cross-site/);
  assert.doesNotMatch(ours, /PUBLIC_URL/);
});

test("the advice never proposes a command that changes a team's own table", () => {
  const adviceOn = (event: Partial<AuditEvent>) =>
    explainBy(recorded(0, event), events, { username: user, ownTable: true })
      .filter(([heading]) => heading === 'To do')
      .map(([, text]) => text);
  // Factors and groups are in Janua's own tables.
  for (const { kind, reason } of reasonCases)
    assert.doesNotMatch(
      adviceOn({ kind, reason }).join(),
      /janua users (?!remove-factors|enrolment-link|groups)/,
      `${kind}, ${reason}`,
    );
  const stopped = { kind: 'account', failures: 100, waitSeconds: 0, stopped: true } as const;
  assert.deepEqual(adviceOn({ kind: 'login-throttled', reason: undefined, throttle: [stopped] }), [
    'The block does not expire: a new password in your own table of users, or janua throttle lift ann@example.com.',
  ]);
  assert.deepEqual(adviceOn({ kind: 'login-failed', reason: 'wrong-password' }), [
    'If the user forgot it: set a new one in your own table of users.',
  ]);
});
