/**
 * Sends each route long queries, bodies, cookies and headers, of each shape that costs a careless parser a time that is quadratic: a stranger
 * could stop the process with a single request. The routes are those of the server, so a new one is in it by itself.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { InjectOptions } from 'fastify';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { stampOf } from '../../src/core/users/account.ts';
import { admins } from '../../src/core/users/scopes.ts';
import { type Operation, readDocument } from '../fuzz/document.ts';
import { ann, type TestJanua } from '../janua.ts';
import { costOf } from './cost-of.ts';
import { type Route, startWithRoutes } from './routes.ts';

/** Characters that a request can have: Node reads 16 KiB of a head, and Janua reads 64 KiB of a body, or 1 MiB with files. */
const longest = { head: 15_000, body: 60_000, upload: 1_000_000 };

/** How many times shorter the other requests are. That many of them cost as much as a long one, or an eighth if the cost is quadratic. */
const step = 8;
const mostTimes = 3;

/** A long request that costs less is not looked at more closely, in milliseconds of the processor. The clock of a thread has ticks of some. */
const lowMilliseconds = 25;

let janua: TestJanua;
let routes: Route[];
let operations: Operation[];

before(async () => {
  ({ janua, routes } = await startWithRoutes({
    settings: {
      ...{ SIGN_UP: 'on', TRUSTED_PROXIES: ['127.0.0.1'], PUBLIC_URL: 'http://localhost:5000' },
      UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
    },
  }));
  const { clientAdministration, administration } = janua.services;
  await administration.changeGroups(ann.username, { add: [admins] });
  const redirectUris = ['https://wiki.example.com/callback'];
  await clientAdministration.addClient({ ...defaultSettings, name: 'Wiki', redirectUris, isPublic: false });
  ({ operations } = await readDocument(janua.app));
});
after(() => janua[Symbol.asyncDispose]());

type Make = (length: number) => string;

const numbered = (count: number, end: string) => Array.from({ length: count }, (_, index) => `a${index}=b`).join(end);

/** Values. */
const texts: Readonly<Record<string, Make>> = {
  letters: (length) => 'a'.repeat(length),
  blanks: (length) => `x${' '.repeat(length)}x`,
  commas: (length) => 'a;q=0.1,'.repeat(length / 8),
  quotes: (length) => '"\\",'.repeat(length / 4),
  slashes: (length) => '/..;/%2'.repeat(length / 7),
  dots: (length) => 'eyJ.a@1:'.repeat(length / 8),
};

/** Names with values, as queries and forms have them. */
const lists: Readonly<Record<string, Make>> = {
  'one name': (length) => 'a&'.repeat(length / 2),
  'one name with values': (length) => 'scope=a&'.repeat(length / 8),
  'a name that may come several times': (length) => 'resource=https://a.example&'.repeat(length / 27),
  'many names': (length) => numbered(length / 8, '&'),
  'many signs': (length) => '&%=+'.repeat(length / 4),
};

const disposition = 'content-disposition: form-data; name=';

/** Forms with files, without their last line. */
const uploads: Readonly<Record<string, Make>> = {
  'many fields': (length) =>
    Array.from({ length: length / 58 }, (_, index) => `--a\r\n${disposition}"${index}"\r\n\r\n\r\n`).join(''),
  'one field many times': (length) => `--a\r\n${disposition}"rows"\r\n\r\n\r\n`.repeat(length / 57),
  'many files': (length) =>
    Array.from(
      { length: length / 74 },
      (_, index) => `--a\r\n${disposition}"${index}"; filename="a"\r\n\r\n1\r\n`,
    ).join(''),
  'a field of many headers': (length) =>
    `--a\r\n${disposition}"rows"\r\n${'content-type: a/b;c=d\r\n'.repeat(length / 23)}\r\n\r\n`,
  'a field with a long name': (length) => `--a\r\n${disposition}"${'%22%0a'.repeat(length / 6)}"\r\n\r\n\r\n`,
  'a field of many lines': (length) => `--a\r\n${disposition}"rows"\r\n\r\n${'\r\n--'.repeat(length / 4)}\r\n`,
  'a file of many rows': (length) =>
    `--a\r\n${disposition}"rows"; filename="a"\r\n\r\nusername\r\n${'é@a.b"\n'.repeat(length / 8)}\r\n`,
};

const cookieLists: readonly Make[] = [
  (length) => 'session=a; '.repeat(length / 11),
  (length) => numbered(length / 8, '; '),
  (length) => '; ='.repeat(length / 3),
];

/** Those that the server, the framework or the library reads, and that stop no request before its handler. */
const headerNames = [
  ...['accept', 'accept-language', 'access-control-request-headers', 'dpop', 'forwarded', 'if-none-match', 'purpose'],
  ...['traceparent', 'tracestate', 'user-agent', 'x-expected-format', 'x-forwarded-for', 'x-forwarded-host'],
  ...['x-forwarded-method', 'x-forwarded-proto', 'x-forwarded-uri', 'x-original-url', 'x-request-id'],
];

/** Makes a request of the longest length for `step`, and shorter ones in proportion. */
type Shape = (length: number) => InjectOptions;

const inHead = (make: Make, request: (text: string) => InjectOptions): Shape => {
  return (length) => request(make(Math.floor((longest.head * length) / step)));
};

const inBody = (type: string, make: Make, most = longest.body): Shape => {
  return (length) => ({
    payload: make(Math.floor((most * length) / step)),
    headers: { 'content-type': type },
  });
};

const pathOf = (url: string, part: string) => url.replaceAll(/:\w+|\*/g, encodeURIComponent(part));

/** Long values wherever a request may have one. */
function* shapesOfTexts(
  url: string,
  parameters: readonly string[],
  fields: readonly string[],
): Generator<[string, Shape]> {
  for (const [index, [kind, make]] of Object.entries(texts).entries()) {
    const makeCookies = cookieLists[index % cookieLists.length];
    yield [
      `values of ${kind}`,
      (length) => {
        const text = make(longest.head * (length / step));
        const share = text.slice(0, text.length / (2 * parameters.length));
        const body = make(longest.body * (length / step)).slice(0, longest.body / (2 * fields.length + 1));
        const cookie = makeCookies?.(longest.head * (length / step)) ?? '';
        const authorization = `${index % 2 === 0 ? 'Basic' : 'Bearer'} ${text}`;
        return {
          url: `${pathOf(url, share)}?${new URLSearchParams(parameters.map((name) => [name, share]))}`,
          headers: { ...Object.fromEntries(headerNames.map((name) => [name, text])), authorization, cookie },
          ...(fields.length > 0 && { payload: Object.fromEntries(fields.map((name) => [name, body])) }),
        };
      },
    ];
  }
}

function* shapesOf({ method, url }: Route, takesFiles: boolean): Generator<[string, Shape]> {
  const operation = operations.find((one) => one.method === method && one.url === url);
  const declared = operation?.parameters?.filter((one) => one.in === 'query').map(({ name }) => name) ?? [];
  const { properties = {} } = operation?.requestBody?.content['application/json']?.schema ?? {};
  const hasBody = method !== 'GET' && method !== 'OPTIONS';
  yield* shapesOfTexts(url, ['next', ...declared], hasBody ? ['next', ...Object.keys(properties)] : []);
  for (const [kind, make] of Object.entries(lists))
    yield [`query of ${kind}`, inHead(make, (text) => ({ url: `${pathOf(url, 'x')}?${text}` }))];
  if (!hasBody) return;
  const [form, json] = ['application/x-www-form-urlencoded', 'application/json'];
  for (const [kind, make] of Object.entries(lists)) yield [`form of ${kind}`, inBody(form, make)];
  for (const [kind, make] of takesFiles ? Object.entries(uploads) : []) {
    const body: Make = (length) => `${make(length)}--a--\r\n`;
    yield [`form with files of ${kind}`, inBody('multipart/form-data; boundary=a', body, longest.upload)];
  }
  yield ['deep JSON', inBody(json, (length) => '['.repeat(length / 2) + ']'.repeat(length / 2))];
  yield [
    'JSON of many names',
    inBody(json, (length) => JSON.stringify(Object.fromEntries(new URLSearchParams(numbered(length / 12, '&'))))),
  ];
}

async function signIn(): Promise<string> {
  const { users, sessions } = janua.services;
  const account = await users.findByUsername(ann.username);
  assert.ok(account);
  const of = { userId: account.user.id, stamp: stampOf(account) };
  return `session=${(await sessions.start(of, { methods: ['pwd', 'otp', 'mfa'] })).cookie}`;
}

const inject = (request: InjectOptions) => () => janua.send(request);

/** By how much a long request costs more than short ones of the same length together. Undefined if it does not. */
async function findExcess(shape: Shape): Promise<string | undefined> {
  if ((await costOf(inject(shape(step)), 1, 1)) < lowMilliseconds) return undefined;
  const long = await costOf(inject(shape(step)), 2, 3);
  const short = await costOf(inject(shape(1)), 2 * step, 3);
  if (long < 2 * lowMilliseconds || long < mostTimes * short) return undefined;
  return `${(long / 2).toFixed(1)} ms, and ${(short / 2).toFixed(1)} ms for ${step} that are ${step} times shorter`;
}

async function takesFormsWithFiles({ method, url }: Route, cookie: string | undefined): Promise<boolean> {
  if (method === 'GET' || method === 'OPTIONS') return false;
  const headers = { 'content-type': 'multipart/form-data; boundary=a', ...(cookie && { cookie }) };
  const sent = { method: method as 'POST', url: pathOf(url, 'x'), payload: '--a--\r\n', headers };
  return (await janua.app.inject(sent)).statusCode !== 415;
}

test('no request costs more than its length', async (t) => {
  const found: string[] = [];
  let count = 0;
  let withFiles = 0;
  for (const route of routes) {
    const { signedIn, scope } = route.config ?? {};
    const session = signedIn || scope !== undefined ? await signIn() : undefined;
    const takesFiles = await takesFormsWithFiles(route, session);
    withFiles += takesFiles ? 1 : 0;
    for (const [name, shape] of shapesOf(route, takesFiles)) {
      count += 1;
      const excess = await findExcess((length) => {
        const { headers = {}, ...shaped } = shape(length);
        const cookie = [headers.cookie ?? [], session ?? []].flat().join('; ');
        const request = { method: route.method as 'GET', url: pathOf(route.url, 'x'), ...shaped };
        return { ...request, headers: { ...headers, ...(cookie !== '' && { cookie }) } };
      });
      if (excess !== undefined) found.push(`${route.name}, ${name}: ${excess}`);
    }
  }
  t.diagnostic(`${count} shapes of ${routes.length} routes`);
  assert.deepEqual(found, []);
  // The import of users and the picture of a client, each at two addresses, and six OAuth endpoints, which refuse such forms with 400.
  assert.equal(withFiles, 10);
});
