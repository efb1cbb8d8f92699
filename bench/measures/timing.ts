import { startScriptedSmtp } from '../../test/core/mail/scripted-smtp.ts';
import type { Effort } from '../options.ts';
import type { Crowd, Kind } from '../population/stored-kinds.ts';
import type { ClientTasks, WholeExchange } from '../processes/client.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { loginRequest, postRequest } from '../requests.ts';
import { separatePairs, summarize } from '../statistics.ts';
import { type Difference, judgeTiming } from '../verdict.ts';

const formats = ['html', 'json'] as const;

/** Requests in one task of the client, few enough to finish before the task's deadline. */
const batch = 100;

/** Tries of each kind that do not count. The first ones are slower, while Node compiles code. */
const warmUpTries = 5;

/** A request for a mail takes no hash, so there is time for several. */
const mailedTriesPerLogin = 5;

/** Failures after which every name has to wait. */
const failuresToStop = 10;

/** Throttled tries of each kind and round. All fit into the wait of ten seconds. */
const throttledTries = 160;

/** The response times of one kind, in milliseconds: a sample for each round and format. */
interface Subject {
  readonly kind: Kind;
  readonly samples: number[][];
  /** The distinct responses in each format. */
  readonly answers: Map<string, Set<string>>;
}

/** Checks whether response times distinguish users who cannot log in from unknown users (ASVS 6.3.8). Gives the lines of a table. */
export async function measureRefused({ settings, kinds }: Crowd, { rounds, tries }: Effort): Promise<string[][]> {
  await using client = startChild<ClientTasks>('./client.ts');
  await using server = startChild<ServerTasks>('./janua.ts', settings);
  const port = await server.ask('port');
  const subjects = kinds.map(createSubject);
  const way = { requestOf: loginOf, expected: { html: 303, json: 400 } };
  await tryInTurns(subjects, way, client, port, warmUpTries);
  for (const { samples } of subjects) samples.length = 0;
  for (let round = 0; round < rounds; round += 1) await tryInTurns(subjects, way, client, port, tries);
  return describe(subjects);
}

/**
 * Checks the same for requests that mail a link: `forgot-password` and `sign-up`. A mail server takes the mails meanwhile.
 * Disabled users get none, like unknown ones.
 */
export async function measureAsked(
  { settings, kinds }: Crowd,
  { rounds, tries }: Effort,
  action: 'forgot-password' | 'sign-up',
): Promise<string[][]> {
  await using smtp = await startScriptedSmtp();
  await using client = startChild<ClientTasks>('./client.ts');
  await using server = startChild<ServerTasks>('./janua.ts', {
    ...settings,
    SIGN_UP: 'on',
    MAIL_URL: `smtp://127.0.0.1:${smtp.port}`,
    MAIL_FROM: 'no-reply@example.com',
  });
  const port = await server.ask('port');
  const subjects = kinds.filter(({ what }) => !/argon2|Django|bcrypt/.test(what)).map(createSubject);
  const way: Way = {
    requestOf: ({ username: email }, format) =>
      postRequest(format === 'html' ? `/auth/${action}` : `/api/${action}`, { email }),
    expected: { html: 303, json: 202 },
  };
  await tryInTurns(subjects, way, client, port, tries);
  for (const { samples } of subjects) samples.length = 0;
  for (let round = 0; round < rounds; round += 1)
    await tryInTurns(subjects, way, client, port, tries * mailedTriesPerLogin);
  return describe(subjects);
}

/** A kind of request, and the statuses of its responses. */
interface Way {
  requestOf(kind: Kind, format: Format): string;
  readonly expected: Readonly<Record<Format, number>>;
}

/** Sends the tries one at a time, in random order. */
async function tryInTurns(
  subjects: readonly Subject[],
  { requestOf, expected }: Way,
  client: Child<ClientTasks>,
  port: number,
  tries: number,
): Promise<void> {
  const turns = shuffle(subjects.flatMap((subject) => turnsOf(subject, tries)));
  const exchanges: WholeExchange[] = [];
  for (let start = 0; start < turns.length; start += batch) {
    const requests = turns.slice(start, start + batch).map(({ subject, format }) => requestOf(subject.kind, format));
    exchanges.push(...(await client.ask('sendInTurn', port, requests)));
  }
  keep(subjects, turns, exchanges, expected);
}

/** Does the same with throttled logins, for which the server hashes nothing. */
export async function measureThrottled({ settings, kinds }: Crowd, { rounds }: Effort): Promise<string[][]> {
  await using client = startChild<ClientTasks>('./client.ts');
  const subjects = kinds.map(createSubject);
  for (let round = 0; round < rounds; round += 1) {
    // Each kind has its own address, so that only its own failures throttle it.
    await using server = startChild<ServerTasks>('./janua.ts', {
      ...settings,
      THROTTLE: 'on',
      TRUSTED_PROXIES: '127.0.0.1',
    });
    const port = await server.ask('port');
    const sendAll = async (ofOne: (subject: Subject) => readonly Turn[]) => {
      // The order is random, because the first of several concurrent clients is always a little faster.
      const sent = shuffle(subjects).map(async (subject) => {
        const turns = ofOne(subject);
        const address = `X-Forwarded-For: 192.0.2.${subjects.indexOf(subject) + 1}`;
        const requests = turns.map(({ format }) => loginOf(subject.kind, format, address));
        return { turns, exchanges: await client.ask('sendInTurn', port, requests) };
      });
      return Promise.all(sent);
    };
    await sendAll((subject) => turnsOf(subject, failuresToStop));
    // All kinds run at the same time. One after the other, they would take longer than the wait.
    const sent = await sendAll((subject) => shuffle(turnsOf(subject, throttledTries)));
    const [turns, exchanges] = [sent.flatMap(({ turns }) => turns), sent.flatMap(({ exchanges }) => exchanges)];
    keep(subjects, turns, exchanges, { html: 429, json: 429 });
  }
  return describe(subjects);
}

type Format = (typeof formats)[number];

interface Turn {
  readonly subject: Subject;
  readonly format: Format;
}

/** Alternates between the formats. */
const turnsOf = (subject: Subject, tries: number): Turn[] =>
  Array.from({ length: tries }, (_, index) => ({ subject, format: formats[index % formats.length] ?? 'json' }));

/** Adds the exchanges to their subjects. `exchanges` has the order of `turns`. */
function keep(
  subjects: readonly Subject[],
  turns: readonly Turn[],
  exchanges: readonly WholeExchange[],
  expected: Readonly<Record<Format, number>>,
): void {
  for (const subject of subjects) {
    for (const format of formats) {
      const own = exchanges.filter((_, index) => turns[index]?.subject === subject && turns[index]?.format === format);
      const odd = own.find(({ status }) => status !== expected[format]);
      if (odd !== undefined) throw new Error(`${subject.kind.what}: the server answered ${odd.status}`);
      subject.samples.push(own.map(({ milliseconds }) => milliseconds));
      const answers = subject.answers.get(format) ?? new Set();
      for (const { answer } of own) answers.add(answer);
      subject.answers.set(format, answers);
    }
  }
}

const createSubject = (kind: Kind): Subject => ({ kind, samples: [], answers: new Map() });

function loginOf({ username, password }: Kind, format: Format, ...fields: string[]): string {
  return loginRequest(username, password, format === 'html' ? '/auth/token' : '/api/login', ...fields);
}

function shuffle<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

/** Compares each kind with the first two, which are unknown users. The difference between those two shows the noise. */
function describe(subjects: readonly Subject[]): string[][] {
  const [first, second, ...others] = subjects;
  if (first === undefined || second === undefined) throw new TypeError('the first two kinds must be unknown users');
  const samples = first.samples.map((sample, index) => [...sample, ...(second.samples[index] ?? [])]);
  const unknownUsers: Subject = { ...first, samples };
  const reference = medianOf(unknownUsers);
  const control = compare(first, second);
  const line = (subject: Subject, difference: Difference, verdict: string) => {
    return [
      subject.kind.what,
      `${medianOf(subject).toFixed(2)} ms`,
      `${difference.milliseconds.toFixed(3)} ms`,
      `${difference.area.toFixed(3)} ± ${difference.standardError.toFixed(3)}`,
      isAlike(unknownUsers, subject) ? 'yes' : 'NO',
      verdict,
    ];
  };
  const pairs = others.flatMap((first, index) =>
    others.slice(index + 1).map((second) => ({ first, second, difference: compare(first, second) })),
  );
  const [widest] = pairs.toSorted((a, b) => apart(b.difference) - apart(a.difference));
  return [
    ['', 'median', 'difference', 'AUC', 'same response', ''],
    line(first, compare(first, first), ''),
    line(second, control, ''),
    ...others.map((subject) => {
      const difference = compare(unknownUsers, subject);
      return line(subject, difference, judgeTiming(difference, reference, control));
    }),
    ...(widest === undefined
      ? []
      : [
          [
            'the pair with the largest difference',
            '',
            `${widest.difference.milliseconds.toFixed(3)} ms`,
            `${widest.difference.area.toFixed(3)} ± ${widest.difference.standardError.toFixed(3)}`,
            isAlike(widest.first, widest.second) ? 'yes' : 'NO',
            `${judgeTiming(widest.difference, reference, control)}: ${widest.first.kind.what} / ${widest.second.kind.what}`,
          ],
        ]),
  ];
}

const medianOf = ({ samples }: Subject) => summarize(samples.flat()).median;

const apart = ({ area }: Difference) => Math.abs(area - 0.5);

function compare(first: Subject, second: Subject): Difference {
  const pairs = first.samples.map((sample, index) => [sample, second.samples[index] ?? []] as const);
  return { milliseconds: medianOf(second) - medianOf(first), ...separatePairs(pairs) };
}

const isAlike = (first: Subject, second: Subject) =>
  formats.every((format) => {
    const answers = new Set([...(first.answers.get(format) ?? []), ...(second.answers.get(format) ?? [])]);
    return answers.size === 1;
  });
