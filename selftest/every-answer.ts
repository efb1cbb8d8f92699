import type { Answer, Client } from './client.ts';
import { type Check, type Finding, ok, warning, wrong } from './finding.ts';

/** A required header of every answer, and its allowed values. */
interface Rule {
  readonly name: string;
  readonly allows: (value: string) => boolean;
}

/** ASVS 3.4.3 to 3.4.8, 3.5.8. */
const rules: readonly Rule[] = [
  { name: 'content-security-policy', allows: isStrictPolicy },
  { name: 'x-content-type-options', allows: (value) => value.toLowerCase() === 'nosniff' },
  // `no-referrer` would make browsers send `Origin: null` with our own forms. Others send tokens of links to the logs of proxies.
  { name: 'referrer-policy', allows: (value) => value.toLowerCase() === 'strict-origin' },
  { name: 'cross-origin-opener-policy', allows: (value) => value === 'same-origin' },
  { name: 'cross-origin-resource-policy', allows: (value) => value === 'same-origin' },
  { name: 'x-request-id', allows: (value) => value !== '' },
];

/** Checks that the proxy left the headers of all answers unchanged, including redirects. */
export async function* checkHeaders({ answers, origin }: Client): Check {
  const { own, others } = divide(answers);
  if (others[0] !== undefined)
    yield warning(
      `${others.length} of ${answers.length} responses came from a proxy or cache before Janua, such as ${others[0].route} (${others[0].status}).`,
      "Let the proxy pass everything on, and not replace Janua's responses with pages of its own.",
    );
  const faults = rules.flatMap(({ name, allows }) => {
    const fit = ({ lines }: Answer) => lines(name).length === 1 && lines(name).every(allows);
    const unfit = own.filter((answer) => !fit(answer));
    return unfit.length === 0 ? [] : [complaint(name, unfit, own.length)];
  });
  yield* faults;
  if (faults.length === 0)
    yield ok(`All ${own.length} responses (${statusesOf(own)}) have CSP, nosniff and the other headers, unchanged.`);

  const elsewhere = answers.find((answer) => leadsElsewhere(answer, origin));
  yield elsewhere === undefined
    ? ok('All redirects stay on this address.')
    : wrong(
        `${elsewhere.route} redirects to ${elsewhere.header('location')}.`,
        'Let the proxy leave Location unchanged (nginx): proxy_redirect off;',
      );

  const names = answers.flatMap(({ lines }) => [
    ...lines('server').filter((value) => /\d/.test(value)),
    ...lines('x-powered-by'),
  ]);
  yield names[0] === undefined
    ? ok('No response names the version of a program.')
    : warning(`Responses name a program and its version: ${names[0]}.`, 'In the proxy (nginx): server_tokens off;');
}

/** Checks for HSTS of at least a year on all HTTPS answers (ASVS 3.4.1), and no HSTS on plain HTTP (RFC 6797 7.2). */
export async function* checkHsts({ answers, https, origin }: Client): Check {
  const name = 'strict-transport-security';
  const without = answers.filter((answer) => !isLongHsts(answer.header(name)));
  const fix = `PUBLIC_URL=${origin}, and let the proxy leave Strict-Transport-Security unchanged.`;
  if (!https)
    yield answers.some((answer) => answer.header(name) !== undefined)
      ? warning('HSTS is sent by plain HTTP.', 'Use the address that users open in --against, or correct PUBLIC_URL.')
      : ok('HSTS is not sent by plain HTTP.');
  else if (without.length > 0) yield wrong(missing('HSTS of a year', without, answers.length), fix);
  else yield ok(`HSTS is on all ${answers.length} responses (${statusesOf(answers)}).`);
}

/** Checks that nothing in front of Janua caches answers, and that no answer allows it (ASVS 14.2.2, 14.3.2). */
export async function* checkCache({ answers }: Client): Check {
  const { own } = divide(answers);
  const fix = 'Let the proxy, and caches before it, store no responses and leave Cache-Control unchanged.';
  const ids = answers.map((answer) => answer.header('x-request-id'));
  // Each request has its own id, so a repeated id means a cached answer.
  const kept = answers.find(
    (answer, index) =>
      Number(answer.header('age') ?? 0) > 0 ||
      /\bhit\b/i.test(
        `${answer.header('x-cache')} ${answer.header('cf-cache-status')} ${answer.header('cache-status')}`,
      ) ||
      (ids[index] !== undefined && ids.indexOf(ids[index]) !== index),
  );
  const storable = own.filter((answer) => !answer.lines('cache-control').some((line) => /\bno-store\b/i.test(line)));
  if (kept !== undefined) yield wrong(`${kept.route} was answered from a cache.`, fix);
  if (storable.length > 0) yield wrong(missing('Cache-Control: no-store', storable, own.length), fix);
  if (kept === undefined && storable.length === 0)
    yield ok('No response came from a cache, and caches may store none.');
}

/** Answers with a request id are Janua's own. If none has an id, all count as its own: a proxy may remove the header. */
function divide(answers: readonly Answer[]): { own: readonly Answer[]; others: readonly Answer[] } {
  const own = answers.filter((answer) => answer.header('x-request-id') !== undefined);
  return own.length === 0
    ? { own: answers, others: [] }
    : { own, others: answers.filter((answer) => !own.includes(answer)) };
}

function complaint(name: string, unfit: readonly Answer[], count: number): Finding {
  const value = unfit[0]?.lines(name).join(' | ');
  const found = value ? `${missing(name, unfit, count, 'is wrong')} It is: ${value}` : missing(name, unfit, count);
  return wrong(found, `Let the proxy leave ${name} unchanged, and add none of its own.`);
}

function missing(what: string, answers: readonly Answer[], count: number, how = 'is missing'): string {
  const example = answers[0];
  return `${what} ${how} on ${answers.length} of ${count} responses, such as ${example?.route} (${example?.status}).`;
}

function statusesOf(answers: readonly Answer[]): string {
  return [...new Set(answers.map(({ status }) => status))].sort((a, b) => a - b).join(', ');
}

function leadsElsewhere(answer: Answer, origin: string): boolean {
  const to = answer.header('location');
  return to !== undefined && (!URL.canParse(to, origin) || new URL(to, origin).origin !== origin);
}

function isLongHsts(value = ''): boolean {
  const age = /\bmax-age="?(\d+)/i.exec(value)?.[1];
  return Number(age ?? 0) >= 365 * 24 * 60 * 60;
}

/** Allows only files of the same host, no inline script or style, and no framing. */
function isStrictPolicy(policy: string): boolean {
  const directives = new Map(
    policy.split(';').map((directive) => {
      const [name = '', ...sources] = directive.trim().split(/\s+/);
      return [name.toLowerCase(), sources.join(' ')];
    }),
  );
  const inner = directives.get('default-src');
  return (
    (inner === "'none'" || inner === "'self'") &&
    directives.get('frame-ancestors') === "'none'" &&
    directives.get('base-uri') === "'none'" &&
    !/'unsafe-|\*|\bhttps?:/.test(policy)
  );
}
