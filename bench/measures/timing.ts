import { pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto';
import { hash as argon2 } from '@node-rs/argon2';
import { hash as bcrypt } from '@node-rs/bcrypt';
import { startScriptedSmtp } from '../../test/core/mail/scripted-smtp.ts';
import type { Exchange } from '../client.ts';
import { loginRequest, postRequest } from '../http.ts';
import type { Client } from '../measure.ts';
import type { Effort } from '../options.ts';
import { januaWith, type Settings, startClient, startServer } from '../processes.ts';
import { type Difference, judgeTiming, medianOf, separatePairs } from '../statistics.ts';
import { type Lines, type Table, yesOrNo } from '../table.ts';
import { createWorkspace, password as right, withServices } from '../workspace.ts';

const formats = ['html', 'json'] as const;
type Format = (typeof formats)[number];

/** A kind of user who tries to log in, without success. All usernames have the same length. */
interface Kind {
  readonly what: string;
  readonly username: string;
  /** A wrong password. Disabled users give the right one, which must not make a difference. */
  readonly password: string;
}

/** The response times of one kind, in milliseconds: a sample for each round and format. */
interface Subject {
  readonly kind: Kind;
  readonly samples: number[][];
  /** The distinct responses in each format. */
  readonly answers: Record<Format, Set<string>>;
}

const salt = randomBytes(11).toString('hex');
const current = () => argon2(right, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
const pbkdf2 = async () => pbkdf2Sync(right, salt, 260_000, 32, 'sha256').toString('base64');
const scrypt = async () => scryptSync(right, salt, 64, { N: 16_384, r: 8, p: 1 }).toString('base64');

/** How the passwords are stored. The first two kinds are unknown users, without a difference between them. */
const schemes: readonly (readonly [what: string, store?: () => Promise<string>, disabled?: true])[] = [
  ['unknown user'],
  ['another unknown user (control)'],
  ['current hash', current],
  ['weak argon2, m=16,t=2', () => argon2(right, { memoryCost: 16, timeCost: 2, parallelism: 1 })],
  ['bcrypt, cost 10', () => bcrypt(right, 10)],
  ['PBKDF2 of Django 3.2', async () => `pbkdf2_sha256$260000$${salt}$${await pbkdf2()}`],
  ['scrypt of Django', async () => `scrypt$16384$${salt}$8$1$${await scrypt()}`],
  ['disabled, current hash', current, true],
  ['disabled, bcrypt', () => bcrypt(right, 10), true],
];

/** A kind of request whose responses must not tell the kinds of users apart (ASVS 6.3.8). */
interface Scenario {
  readonly title: string;
  readonly settings?: Settings;
  readonly kinds?: (kind: Kind) => boolean;
  requestOf(kind: Kind, format: Format, index: number): string;
  readonly expected: Readonly<Record<Format, number>>;
  /** Tries of each kind that do not count. The first ones are slower, while Node compiles code. */
  readonly before: number;
  tries(effort: Effort): number;
  /** Requests at the same time. */
  readonly connections: number;
}

const login = ({ username, password }: Kind, format: Format, ...fields: string[]) =>
  loginRequest(username, password, format === 'html' ? '/auth/token' : '/api/login', ...fields);

const scenarios: readonly Scenario[] = [
  {
    ...{ title: 'Refused', before: 5, tries: ({ tries }) => tries, connections: 1 },
    requestOf: (kind, format) => login(kind, format),
    expected: { html: 303, json: 400 },
  },
  {
    // After ten failures every name has to wait. All tries fit into the wait of ten seconds, if all kinds try at the same time.
    ...{ title: 'Told to wait (429)', before: 10, tries: () => 160, connections: schemes.length },
    settings: { THROTTLE: 'on', TRUSTED_PROXIES: '127.0.0.1' },
    // Each kind has its own address, so that only its own failures throttle it.
    requestOf: (kind, format, index) => login(kind, format, `X-Forwarded-For: 192.0.2.${index + 1}`),
    expected: { html: 429, json: 429 },
  },
  ...(['forgot-password', 'sign-up'] as const).map(
    (action): Scenario => ({
      // There is time for more, because they take no hash.
      ...{ title: `Asked for a mail: ${action}`, before: 20, tries: ({ tries }) => 5 * tries, connections: 1 },
      settings: { SIGN_UP: 'on', MAIL_FROM: 'no-reply@example.com' },
      kinds: ({ what }) => !/argon2|Django|bcrypt/.test(what),
      requestOf: ({ username: email }, format) =>
        postRequest(format === 'html' ? `/auth/${action}` : `/api/${action}`, { email }),
      expected: { html: 303, json: 202 },
    }),
  ),
];

export async function measureTiming(effort: Effort): Promise<Table[]> {
  const { settings } = await createWorkspace(1);
  const kinds = await addKinds(settings);
  await using smtp = await startScriptedSmtp();
  await using client = startClient();
  const tables: Table[] = [];
  for (const scenario of scenarios) {
    const subjects = kinds
      .filter(scenario.kinds ?? (() => true))
      .map((kind): Subject => ({ kind, samples: [], answers: { html: new Set(), json: new Set() } }));
    const mails = scenario.settings?.SIGN_UP === undefined ? {} : { MAIL_URL: `smtp://127.0.0.1:${smtp.port}` };
    for (let round = 0; round < effort.rounds; round += 1) {
      process.stderr.write(`${scenario.title}, round ${round + 1} of ${effort.rounds}\n`);
      // A new server each time, because the wait of the last round may be over.
      await using server = await startServer(januaWith({ ...settings, ...scenario.settings, ...mails }));
      await send(client, server.port, turnsOf(scenario, subjects, scenario.before), scenario);
      const turns = turnsOf(scenario, subjects, scenario.tries(effort));
      keep(scenario, turns, await send(client, server.port, turns, scenario));
    }
    tables.push({ title: scenario.title, lines: describe(subjects) });
  }
  return tables;
}

/** Adds a user of each kind that is known. */
function addKinds(settings: Settings): Promise<Kind[]> {
  return withServices(settings, async ({ registry, administration }) => {
    const kinds: Kind[] = [];
    for (const [index, [what, store, disabled = false]] of schemes.entries()) {
      const [username, names] = [`kind${index}@example.com`, { firstName: 'Ann', lastName: 'Archer' }];
      if (store !== undefined) await registry?.add({ username, ...names, passwordHash: await store(), demo: false });
      if (disabled) await administration.disable(username);
      kinds.push({ what, username, password: disabled ? right : 'incorrect horse battery staple' });
    }
    return kinds;
  });
}

/** Tries of all kinds in turns, each time in random order. The formats alternate. */
function turnsOf({ requestOf }: Scenario, subjects: readonly Subject[], tries: number) {
  const turns = subjects.flatMap((subject, index) =>
    Array.from({ length: tries }, (_, turn) => {
      const format = formats[turn % formats.length] ?? 'json';
      return { subject, format, request: requestOf(subject.kind, format, index), place: turn + Math.random() };
    }),
  );
  return turns.sort((a, b) => a.place - b.place);
}

type Turn = ReturnType<typeof turnsOf>[number];

/** Requests of each connection in one task of the client, few enough to finish before the task's deadline. */
const batch = 50;

async function send(
  client: Client,
  port: number,
  turns: readonly Turn[],
  { connections }: Scenario,
): Promise<Exchange[]> {
  const exchanges: Exchange[] = [];
  const size = batch * connections;
  for (let start = 0; start < turns.length; start += size) {
    const requests = turns.slice(start, start + size).map(({ request }) => request);
    exchanges.push(...(await client.ask('exchange', port, requests, connections)).exchanges);
  }
  return exchanges;
}

function keep({ title, expected }: Scenario, turns: readonly Turn[], exchanges: readonly Exchange[]): void {
  for (const subject of new Set(turns.map((turn) => turn.subject))) {
    for (const format of formats) {
      const own = exchanges.filter((_, index) => turns[index]?.subject === subject && turns[index]?.format === format);
      const odd = own.find(({ status }) => status !== expected[format]);
      if (odd !== undefined) throw new Error(`${title}: the server answered ${odd.status} to ${subject.kind.what}`);
      subject.samples.push(own.map(({ milliseconds }) => milliseconds));
      for (const { head, body } of own) subject.answers[format].add(comparable(head, body));
    }
  }
}

/** Removes the request's id, the sent name, the cookie that has both, and times. */
const comparable = (head: string, body: string) =>
  `${head.replaceAll(/(\r\n(?:date|x-request-id|retry-after|set-cookie: login-failure)[:=] *)[^;\r]*/gi, '$1')}\n${body.replaceAll(/[0-9a-f-]{36}|kind\d@example\.com/g, '')}`;

/** Compares each kind with the first two, which are unknown users. The difference between those two shows the noise. */
function describe(subjects: readonly Subject[]): Lines {
  const [first, second, ...others] = subjects;
  if (first === undefined || second === undefined) throw new TypeError('the first two kinds must be unknown users');
  const samples = first.samples.map((sample, index) => [...sample, ...(second.samples[index] ?? [])]);
  const unknown: Subject = { ...first, samples };
  const control = compare(first, second);
  const judge = (difference: Difference) => judgeTiming(difference, middleOf(unknown), control);
  const line = (what: string, median: string, one: Subject, other: Subject, verdict: string) => {
    const { milliseconds, area, standardError } = compare(one, other);
    const areas = `${area.toFixed(3)} ± ${standardError.toFixed(3)}`;
    return [what, median, `${milliseconds.toFixed(3)} ms`, areas, yesOrNo(isAlike(one, other)), verdict];
  };
  const median = (subject: Subject) => `${middleOf(subject).toFixed(2)} ms`;
  const pairs = others.flatMap((one, index) => others.slice(index + 1).map((other) => [one, other] as const));
  const apart = ([one, other]: readonly [Subject, Subject]) => Math.abs(compare(one, other).area - 0.5);
  const widest = pairs.toSorted((a, b) => apart(b) - apart(a)).slice(0, 1);
  return [
    ['', 'median', 'difference', 'AUC', 'same response', ''],
    line(first.kind.what, median(first), first, first, ''),
    line(second.kind.what, median(second), first, second, ''),
    ...others.map((one) => line(one.kind.what, median(one), unknown, one, judge(compare(unknown, one)))),
    ...widest.map(([one, other]) => {
      const verdict = `${judge(compare(one, other))}: ${one.kind.what} / ${other.kind.what}`;
      return line('the pair with the largest difference', '', one, other, verdict);
    }),
  ];
}

const middleOf = ({ samples }: Subject) => medianOf(samples.flat(), (value) => value);

function compare(first: Subject, second: Subject): Difference {
  const pairs = first.samples.map((sample, index) => [sample, second.samples[index] ?? []] as const);
  return { milliseconds: middleOf(second) - middleOf(first), ...separatePairs(pairs) };
}

const isAlike = (first: Subject, second: Subject) =>
  formats.every((format) => first.answers[format].union(second.answers[format]).size === 1);
