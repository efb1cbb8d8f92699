import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Evidence } from './evidence-reporter.ts';

/**
 * `npm run mutants` breaks a copy of the code in one place after the other, and checks that the expected test fails.
 * It writes `security/mutants.tsv`, and fails if a test missed its mutant. With ids or files as arguments, it breaks only those and
 * writes nothing: `npm run mutants -- S46 src/web/cookies.ts`.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const list = join(root, 'security/mutants.tsv');

interface Mutant {
  /** Describes the broken behaviour. */
  readonly breaks: string;
  readonly file: string;
  readonly text: string;
  readonly by: string;
  /** The test file that should fail. `id` is the id in `security/*.tsv` above the failing test. */
  readonly test: string;
  readonly id: string;
  /** Runs only the tests with a matching title. */
  readonly only?: string;
}

const throttle = { test: 'test/flow/throttle.test.ts', only: 'SQLite' };
const flow = 'test/flow/sqlite-sql.test.ts';

const mutants: readonly Mutant[] = [
  {
    breaks: 'an attempt passes although a key has to wait',
    file: 'src/throttle/throttle.ts',
    text: 'if (!counting.counted) {',
    by: 'if (!counting.counted && Date.now() < 0) {',
    ...throttle,
    id: 'S46',
  },
  {
    breaks: 'the throttle counts a name with its case',
    file: 'src/sign-in/log-in.ts',
    text: '{ name, account, password, headers',
    by: '{ name: username, account, password, headers',
    ...throttle,
    id: 'VM-31',
  },
  {
    breaks: "a success clears the address's failures",
    file: 'src/sign-in/login-limits.ts',
    text: "kind.endsWith('address') ? 'take-back' : 'clear'",
    by: "'clear'",
    test: 'test/sign-in/login-limits.test.ts',
    id: 'S49',
  },
  {
    breaks: 'X-Forwarded-For is read from the left',
    file: 'src/web/client-address.ts',
    text: ".split(',').toReversed()",
    by: ".split(',')",
    test: 'test/web/client-address.test.ts',
    id: 'VM-28',
  },
  {
    breaks: 'the cookie decides although the request has a token',
    file: 'src/access/access.ts',
    text: "if (accessToken !== undefined) return claimOf('token', accessToken);",
    by: "if (accessToken !== undefined && cookie === undefined) return claimOf('token', accessToken);",
    test: flow,
    id: 'S34',
  },
  {
    breaks: 'a second Authorization header is ignored',
    file: 'src/web/hooks/credentials.ts',
    text: "countFields(raw.rawHeaders, 'authorization') > 1",
    by: "countFields(raw.rawHeaders, 'authorization') > 2",
    test: 'test/web/hooks/methods.test.ts',
    id: 'S33',
  },
  {
    breaks: 'the sessions of a disabled user stay alive',
    file: 'src/access/access.ts',
    text: '!account.disabled && session',
    by: 'session',
    test: 'test/flow/own-table-sqlite.test.ts',
    id: 'S76',
  },
  {
    breaks: 'an idle session does not end',
    file: 'src/sessions/sessions.ts',
    text: 'Math.min(latestEndOf(session), lastSeenAt + limitsOf(session).idleTimeoutSeconds * 1000)',
    by: 'latestEndOf(session) + Math.min(0, lastSeenAt)',
    test: 'test/sessions/sessions.test.ts',
    id: 'S70',
  },
  {
    breaks: 'a sibling host counts as our own origin',
    file: 'src/web/hooks/cross-site.ts',
    text: "if (site === 'same-site' || site === 'cross-site') return false;",
    by: "if (site === 'cross-site') return false;\n  if (site === 'same-site') return true;",
    test: 'test/web/hooks/cross-site.test.ts',
    id: 'S81',
  },
  {
    breaks: 'an origin that begins like ours counts as our own',
    file: 'src/web/hooks/cross-site.ts',
    text: 'publicOrigins.has(headers.origin)',
    by: '[...publicOrigins].some((ours) => String(headers.origin).startsWith(ours))',
    test: 'test/web/hooks/cross-site.test.ts',
    id: 'S83',
  },
  {
    breaks: 'cookies have no SameSite',
    file: 'src/web/cookies.ts',
    text: "'Path=/; HttpOnly; SameSite=Lax'",
    by: "'Path=/; HttpOnly'",
    test: 'test/web/hooks/security-headers.test.ts',
    id: 'S63',
  },
  {
    breaks: 'a refused login is answered without waiting for the failure floor',
    file: 'src/sign-in/password-attempt.ts',
    text: 'const earliest = start + floor + randomDelay;',
    by: 'const earliest = start;',
    test: 'test/access/admit.test.ts',
    id: 'S42',
  },
  {
    breaks: "who am I gives the user's id instead of the name",
    file: 'src/account/me.routes.ts',
    text: 'username: user.username, first_name',
    by: 'username: user.id, first_name',
    test: flow,
    id: 'S37',
  },
  {
    breaks: 'a next that leads to another host is followed',
    file: 'src/web/next.ts',
    text: String.raw`/^\/[/\\\0-\x20]/`,
    by: String.raw`/^\/[\0-\x20]/`,
    test: 'test/web/next.test.ts',
    id: 'S97',
  },
  {
    breaks: 'the audit stores the typed name',
    file: 'src/audit/audit.ts',
    text: "createHmac('sha256', nameKey).update(name).digest('base64url').slice(0, 22)",
    by: 'name',
    test: 'test/flow/audit.test.ts',
    only: 'SQLite',
    id: 'S109',
  },
  {
    breaks: 'a login that cannot be recorded passes',
    file: 'src/access/admit.ts',
    text: "audit.record({ kind: 'login-succeeded',",
    by: "audit.recordIfPossible({ kind: 'login-succeeded',",
    test: 'test/flow/audit.test.ts',
    id: 'S108',
  },
  {
    breaks: 'the way back to another host is followed without a valid signature',
    file: 'src/forward-auth/returns.ts',
    text: '|| !isSame(signature, sign(to, state))',
    by: '',
    test: 'test/forward-auth/verify.test.ts',
    id: 'VM-76',
  },
  {
    breaks: 'a template does not escape the message',
    file: 'src/web/login-page.eta',
    text: '<%= wait ?',
    by: '<%~ wait ?',
    test: 'test/web/views.test.ts',
    id: 'V1.1.2',
  },
  {
    breaks: 'an undocumented route is open',
    file: 'src/account/home.routes.ts',
    text: 'app.get(\n    homePath,',
    by: "app.get('/admin/users', { schema: { hide: true } }, async () => []);\n  app.get(\n    homePath,",
    test: 'test/security/access.test.ts',
    id: 'VM-92',
  },
  {
    breaks: 'bytes before the name of a __Host- cookie are ignored',
    file: 'src/web/cookies.ts',
    text: "header.split(';')",
    by: "header.replace(/[^\\w;]+(?=__Host-)/g, '').split(';')",
    test: 'test/web/cookies.test.ts',
    id: 'VM-03',
  },
  {
    breaks: 'Unicode white space around the value of a __Host- cookie is ignored',
    file: 'src/web/cookies.ts',
    text: 'values.length === 1 ? values[0]',
    by: 'values.length === 1 ? values[0]?.trim()',
    test: 'test/web/cookies.test.ts',
    id: 'S66',
  },
  {
    breaks: 'the limits of the user name are not documented',
    file: 'src/sign-in/log-in.routes.ts',
    text: '    maxLength: maxUsernameLength,\n',
    by: '',
    test: 'test/security/access.test.ts',
    id: 'V2.1.1',
  },
  {
    breaks: 'the user name has no description',
    file: 'src/sign-in/log-in.routes.ts',
    text: "    description: 'An e-mail address; case does not matter',\n",
    by: '',
    test: 'test/security/access.test.ts',
    id: 'V2.1.1',
  },
  ...[
    ['src/sessions/credential.ts', 'timingSafeEqual(one, other)', 'one.equals(other)'],
    ['src/sessions/credential.ts', 'timingSafeEqual(one, other)', 'presented === expected'],
    ['src/sessions/credential.ts', 'isSame(hashSecret(secret), kind', 'hashSecret(secret) === (kind'],
    [
      'src/forward-auth/host-credentials.ts',
      'isSame(credential, create(origin, session))',
      'credential === create(origin, session)',
    ],
    [
      'src/forward-auth/host-credentials.ts',
      'isSame(ticket, ticketUntil(expiresAt, destination, session))',
      'ticket === ticketUntil(expiresAt, destination, session)',
    ],
    ['src/forward-auth/returns.ts', '!isSame(signature, sign(to, state))', 'signature !== sign(to, state)'],
    ['src/sign-in/known-browsers.ts', "isSame(made, sign(id, ''))", "made === sign(id, '')"],
  ].map(([file = '', text = '', by = '']) => ({
    breaks: 'a secret is not compared in constant time',
    file,
    text,
    by,
    test: 'test/security/source.test.ts',
    id: 'V11.2.4',
  })),
  ...[
    ['src/sessions/credential.ts', 'timingSafeEqual(one, other)', 'one.toString() === other.toString()'],
    ['src/sessions/credential.ts', 'isSame(hashSecret', 'Object.is(hashSecret'],
    ['src/forward-auth/host-credentials.ts', 'isSame(credential,', 'Object.is(credential,'],
    ['src/forward-auth/host-credentials.ts', 'isSame(ticket,', 'Object.is(ticket,'],
    ['src/forward-auth/returns.ts', 'isSame(signature,', 'Object.is(signature,'],
    ['src/sign-in/known-browsers.ts', 'isSame(made,', 'Object.is(made,'],
    ['src/sign-in/known-browsers.ts', '.some((signature) => isSame(signature, expected))', '.includes(expected)'],
    ['src/passwords/schemes/scrypt.ts', 'timingSafeEqual(scryptSync(', 'Object.is(scryptSync('],
  ].map(([file = '', text = '', by = '']) => ({
    breaks: 'a secret is compared by another function, not in constant time',
    file,
    text,
    by,
    test: 'test/security/constant-time.test.ts',
    id: 'V11.2.4',
  })),
  {
    breaks: 'X-Forwarded-Host is trusted from every client',
    file: 'src/forward-auth/forwarded-target.ts',
    text: 'const trusted = isTrustedPeer(socket.remoteAddress);',
    by: 'const trusted = isTrustedPeer(socket.remoteAddress) || true;',
    test: 'test/forward-auth/verify.test.ts',
    id: 'V4.1.3',
  },
  ...[
    ['a password', "export const adminPassword = 'hunter2';"],
    ['a key in base64', "export const bytes = Buffer.from('mZ0vT1kq8yJ3Wc5nX7bR2uF4hL6sD9aGpQeKiOxYtVw=', 'base64');"],
    ['a secret between double quotes', 'export const clientSecret = "correct-horse";'],
  ].map(([what = '', line = '']) => ({
    breaks: `${what} is in the source`,
    file: 'src/text/printable.ts',
    text: '/**\n * Text without',
    by: `${line}\n\n/**\n * Text without`,
    test: 'test/security/source.test.ts',
    id: 'V13.3.1',
  })),
  ...[
    ['requests another server by HTTP', "await fetch('https://example.com');"],
    ['opens a connection', "import { connect } from 'node:net';"],
    ['opens a connection through the whole module', "net.connect(443, 'example.com');"],
    ['uses the client of the selftest', "import { createClient } from '../../selftest/client.ts';"],
  ].map(([what = '', line = '']) => ({
    breaks: `the server ${what}`,
    file: 'src/text/printable.ts',
    text: '/**\n * Text without',
    by: `${line}\n\n/**\n * Text without`,
    test: 'test/security/source.test.ts',
    id: 'V13.2.4',
  })),
  {
    breaks: 'another file of the selftest sends requests',
    file: 'selftest/finding.ts',
    text: '/** The result of one check.',
    by: "import { request } from 'node:http';\n\n/** The result of one check.",
    test: 'test/security/source.test.ts',
    id: 'V13.2.4',
  },
  ...[
    ['test/users/sql-directory.test.ts', 'SQLite'],
    [flow, undefined],
    ['test/security/source.test.ts', undefined],
  ].map(([test = '', only]) => ({
    breaks: 'the text of a prepared look-up contains the value',
    file: 'src/database/lookup.ts',
    text: 'read([value])',
    by: `prepareRead<Row>(build('').compile().sql.replace('?', "'" + value + "'"))([])`,
    test,
    ...(only === undefined ? {} : { only }),
    id: 'V1.2.4',
  })),
  // 20 ids drawn at random from the rules that hold (mulberry32, seed 20261125), each with a plausible mistake.
  {
    breaks: 'scripts may come from `data:` addresses',
    file: 'src/web/hooks/security-headers.ts',
    text: `'style-src': "'self'",`,
    by: `'style-src': "'self'", 'script-src-elem': "'self' data:",`,
    test: 'test/web/hooks/security-headers.test.ts',
    id: 'S92',
  },
  ...[
    ['/docs/', 'S114'],
    ['/', 'V13.4.1'],
  ].map(([prefix = '', id = '']) => ({
    breaks: `the folder of the server is served under ${prefix}`,
    file: 'src/web/assets.ts',
    text: "serveFiles(app, '/assets', {",
    by: `app.get('${prefix}*', async ({ raw, url }) => (await send(raw, url.slice(${prefix.length}), { root: resolve('.') })).stream);
  serveFiles(app, '/assets', {`,
    test: 'test/web/hooks/methods.test.ts',
    id,
  })),
  {
    breaks: 'an unknown credential starts an empty session',
    file: 'src/access/access.ts',
    text: 'if (found === undefined || session === undefined) return undefined;',
    by: `if (found === undefined || session === undefined) {
      await sessions.start({ userId: '', stamp: '' }, { methods: [] });
      return undefined;
    }`,
    test: 'test/security/sessions.test.ts',
    id: 'S75',
  },
  {
    breaks: 'a login grants a scope that the user does not have',
    file: 'src/access/scope.ts',
    text: "held.filter((scope) => names.includes(scope)).join(' ')",
    by: "names.join(' ')",
    test: flow,
    id: 'S19',
  },
  {
    breaks: 'files are served without nosniff',
    file: 'src/web/assets.ts',
    text: "reply.removeHeader('pragma')",
    by: "reply.removeHeader('pragma').removeHeader('x-content-type-options')",
    test: 'test/web/hooks/security-headers.test.ts',
    id: 'V3.4.4',
  },
  {
    breaks: 'a GET of the login page signs the user out',
    file: 'src/sign-in/log-in.routes.ts',
    text: 'if (await parts().access.findSignedIn(presented)) return',
    by: `if (state === '0') await parts().logOut(presented, reply.request.caller).catch(() => {});
        if (await parts().access.findSignedIn(presented)) return`,
    test: 'test/security/answers.test.ts',
    id: 'VM-83',
  },
  {
    breaks: 'files are served without a content type',
    file: 'src/web/assets.ts',
    text: '{ root: dirname(file),',
    by: '{ root: dirname(file), contentType: false,',
    test: 'test/security/answers.test.ts',
    id: 'V4.1.1',
  },
  {
    breaks: 'the right password of a disabled user gets its own answer',
    file: 'src/sign-in/password-attempt.ts',
    text: 'if (throttled.passed && throttled.stops) await',
    by: `if (reason === 'disabled-user') throw new Refusal({ ...waiting.answer, detail: 'This user is disabled' });
      if (throttled.passed && throttled.stops) await`,
    test: flow,
    id: 'VM-24',
  },
  {
    breaks: 'the answer to an incomplete login repeats its body',
    file: 'src/web/hooks/problems.ts',
    text: 'if (error instanceof Refusal) return problem(request.id, error.answer);',
    by: "if (error instanceof Refusal) return problem(request.id, { ...error.answer, detail: error.answer.detail + (error.answer.name === 'incomplete-login' ? JSON.stringify(request.body) : '') });",
    test: 'test/web/hooks/problems.test.ts',
    id: 'S106',
  },
  {
    breaks: 'the answer to a body of another type repeats the type',
    file: 'src/web/hooks/problems.ts',
    text: 'if (status >= 400 && status < 500) return problem(request.id, { status });',
    by: "if (status >= 400 && status < 500) return problem(request.id, { status, detail: request.headers['content-type'] });",
    test: 'test/web/hooks/problems.test.ts',
    id: 'S106',
  },
  {
    breaks: 'more passwords are hashed at once than HASHING_CONCURRENCY allows',
    file: 'src/passwords/passwords.ts',
    text: 'createHashingThreads(concurrency)',
    by: 'createHashingThreads(concurrency * 8)',
    test: 'test/passwords/passwords.test.ts',
    id: 'VM-45',
  },
  {
    breaks: 'a page overrides the referrer policy',
    file: 'src/web/layout.eta',
    text: '<head>',
    by: '<head>\n  <meta name="referrer" content="unsafe-url">',
    test: 'test/web/hooks/security-headers.test.ts',
    id: 'V3.4.5',
  },
  {
    breaks: 'a stronger stored hash is replaced',
    file: 'src/passwords/hashing/computations.ts',
    text: "comparable?.state === 'weak'",
    by: 'comparable !== undefined',
    test: 'test/passwords/passwords.test.ts',
    id: 'S101',
  },
  {
    breaks: 'a wrong password replaces a weak hash',
    file: 'src/passwords/hashing/computations.ts',
    text: 'rehashes && matches &&',
    by: 'rehashes &&',
    test: 'test/passwords/passwords.test.ts',
    id: 'S101',
  },
  {
    breaks: 'an unexpected error is not logged',
    file: 'src/web/hooks/problems.ts',
    text: "request.log.error({ err: error }, 'unexpected error');",
    by: '',
    test: 'test/web/hooks/problems.test.ts',
    id: 'V16.3.4',
  },
  {
    breaks: 'a full queue of hashes is not logged',
    file: 'src/passwords/passwords.ts',
    text: 'if (isFull && !wasFull)',
    by: 'if (isFull && !wasFull && queue < 0)',
    test: 'test/passwords/passwords.test.ts',
    id: 'V16.3.4',
  },
  {
    breaks: 'the SBOM leaves out optional packages',
    file: 'package.json',
    text: '--package-lock-only"',
    by: '--package-lock-only --omit=optional"',
    test: 'test/package.test.ts',
    id: 'V15.1.2',
  },
  {
    breaks: 'a session is alive in the millisecond in which it ends',
    file: 'src/sessions/sessions.ts',
    text: 'time < endOf(session, session.lastSeenAt)',
    by: 'time <= endOf(session, session.lastSeenAt)',
    test: 'test/sessions/sessions.test.ts',
    id: 'V9.2.1',
  },
  {
    breaks: 'a proof of identity stays fresh for ever',
    file: 'src/sign-in/confirm.ts',
    text: '<= maxAgeSeconds * 1000;',
    by: '>= 0;',
    test: 'test/sign-in/confirm.test.ts',
    id: 'V7.5.1',
  },
  {
    breaks: 'a user ends the session of another user',
    file: 'src/account/sessions.ts',
    text: 'own === undefined || !(await sessions.end([own]))',
    by: '!(await sessions.end([{ id }]))',
    test: flow,
    id: 'V8.2.2',
  },
  {
    breaks: 'a ticket does not expire',
    file: 'src/forward-auth/host-credentials.ts',
    text: 'rest > 0 && ',
    by: '',
    test: 'test/forward-auth/verify.test.ts',
    id: 'V9.2.1',
  },
  {
    breaks: 'a body of 64 MiB is read',
    file: 'src/web/hooks/bodies.ts',
    text: 'bodyLimit = 64 * 1024',
    by: 'bodyLimit = 64 * 1024 * 1024',
    test: flow,
    id: 'VM-43',
  },
  {
    breaks: 'the length of a password is measured in characters',
    file: 'src/sign-in/log-in.ts',
    text: 'Buffer.byteLength(password) >',
    by: 'password.length >',
    test: flow,
    id: 'VM-43',
  },
  {
    breaks: 'a signed token is accepted without a check of its signature',
    file: 'src/access/access.ts',
    text: 'if (claim?.sessionId === undefined) return undefined;',
    by: `const [, payload = '', signature] = accessToken?.split('.') ?? [];
    if (signature !== undefined) {
      const [listed] = await sessions.listOf(JSON.parse(Buffer.from(payload, 'base64url').toString()).sub);
      const { account, session } = (listed && (await lookUp(listed.id))) ?? {};
      return account && session && { user: account.user, session };
    }
    if (claim?.sessionId === undefined) return undefined;`,
    test: flow,
    id: 'VM-87',
  },
  {
    breaks: 'a disabled user is refused without waiting for the failure floor',
    file: 'src/sign-in/password-attempt.ts',
    text: 'if (throttled.passed && throttled.stops) await',
    by: "if (reason === 'disabled-user') throw failed.error;\n      if (throttled.passed && throttled.stops) await",
    test: 'test/access/admit.test.ts',
    id: 'V6.3.8',
  },
  {
    breaks: 'the address of a redirect has no maximum length',
    file: 'src/forward-auth/returns.ts',
    text: 'if (safeNext(path) === undefined) return undefined;',
    by: '',
    test: 'test/forward-auth/returns.test.ts',
    id: 'V4.2.5',
  },
  // Accounts, links and mails.
  {
    breaks: 'a token works for each of the requests that found it before it was removed',
    file: 'src/tokens/tokens.ts',
    text: "(await countDeleted(token.where('expires_at', '>', time))) === 1",
    by: "(await countDeleted(token.where('expires_at', '>', time))) < 2",
    test: 'test/tokens/tokens.test.ts',
    only: 'PostgreSQL',
    id: 'VM-53',
  },
  {
    breaks: 'a token works for any purpose',
    file: 'src/tokens/tokens.ts',
    text: ".where('purpose', '=', purpose)",
    by: '',
    test: 'test/tokens/tokens.test.ts',
    only: 'SQLite',
    id: 'VM-51',
  },
  {
    breaks: 'a token is stored as it is sent',
    file: 'src/tokens/tokens.ts',
    text: 'user_id: userId ?? null, address,',
    by: 'user_id: userId ?? null, address: secret,',
    test: 'test/tokens/tokens.test.ts',
    only: 'SQLite',
    id: 'S117',
  },
  {
    breaks: 'opening a link uses it up',
    file: 'src/tokens/links.ts',
    text: 'await tokens.find(purpose, secret);',
    by: 'await tokens.consume(purpose, secret);',
    test: flow,
    only: 'forgotten password',
    id: 'VM-64',
  },
  {
    breaks: 'a new address leaves the open links of the account valid',
    file: 'src/account/email.ts',
    text: 'await tokens.voidOf(userId, db);',
    by: '',
    test: flow,
    only: 'changed name and address',
    id: 'VM-50',
  },
  {
    breaks: 'only the new address is told about the change',
    file: 'src/account/email.ts',
    text: 'for (const address of [email, former])',
    by: 'for (const address of [email])',
    test: flow,
    only: 'changed name and address',
    id: 'VM-61',
  },
  {
    breaks: 'a new password leaves sessions valid that could not be removed',
    file: 'src/users/sql-directory.ts',
    text: 'demo: 0, stamp: createStamp(), password_changed_at: Date.now() };',
    by: 'demo: 0, password_changed_at: Date.now() };',
    test: 'test/security/accounts.test.ts',
    id: 'VM-16',
  },
  {
    breaks: 'a reset leaves the wait after wrong passwords',
    file: 'src/account/password.ts',
    text: 'await Promise.allSettled([ended, liftFailures(user)]);',
    by: 'await Promise.allSettled([ended]);',
    test: 'test/security/accounts.test.ts',
    id: 'S117',
  },
  {
    breaks: 'any number of mails goes to an address',
    file: 'src/mail/request-mail.ts',
    text: 'if (admitted) await outbox.add',
    by: 'if (admitted || mail) await outbox.add',
    test: 'test/mail/request-mail.test.ts',
    id: 'VM-63',
  },
  {
    breaks: 'links lead to the host of the last request',
    file: 'src/web/hooks/cross-site.ts',
    text: 'const listed = origin !== undefined && corsOrigins.has(origin);',
    by: `const listed = origin !== undefined && corsOrigins.has(origin);
    const known = publicOrigins as Set<string>;
    known.clear();
    known.add(\`https://\${request.headers.host}\`);`,
    test: 'test/security/accounts.test.ts',
    id: 'VM-55',
  },
  {
    breaks: 'a sign-up refuses a known address',
    file: 'src/account/sign-up.ts',
    text: "await requestMail({ purpose: 'sign-up', address, language }, caller);",
    by: `if (await registry.findByUsername(address)) throw new InvalidFields({ field: 'email', code: 'malformed' });
      await requestMail({ purpose: 'sign-up', address, language }, caller);`,
    test: flow,
    only: 'sign-up',
    id: 'VM-23',
  },
  {
    breaks: 'a sign-up is for the address that the form sends',
    file: 'src/account/sign-up.ts',
    text: 'const { address: username, account: invited } = await links.open(secret, caller);',
    by: 'const { address, account: invited } = await links.open(secret, caller);\n      const username = (entered as { email?: string }).email ?? address;',
    test: 'test/security/accounts.test.ts',
    id: 'VM-62',
  },
  {
    breaks: 'a new password need not follow the rules',
    file: 'src/account/password.ts',
    text: 'if (fault !== undefined) throw',
    by: "if (fault?.code === 'malformed') throw",
    test: flow,
    only: 'changed password',
    id: 'S116',
  },
  {
    breaks: 'the answer to a weak password quotes it',
    file: 'src/account/password.ts',
    text: 'throw new InvalidFields({ field, ...fault });',
    by: 'throw new InvalidFields({ field, ...fault, values: { count: password } });',
    test: 'test/security/accounts.test.ts',
    id: 'S106',
  },
  {
    breaks: 'each of several changes of a password at the same time is stored',
    file: 'src/users/sql-directory.ts',
    text: ".where(sql`coalesce(stamp, password_hash, '')`, '=', stamp ?? former)",
    by: '',
    test: flow,
    only: 'changes of a password at the same time',
    id: 'V15.4.2',
  },
  {
    breaks: 'a reset keeps the sessions of the account',
    file: 'src/account/password.ts',
    text: 'kept === undefined ? sessions.endAllOf(user.id) :',
    by: 'kept === undefined ? Promise.resolve() :',
    test: flow,
    only: 'forgotten password',
    id: 'VM-16',
  },
  {
    breaks: 'a change of the password keeps the other sessions',
    file: 'src/account/password.ts',
    text: ': sessions.endOthersOf(user.id, kept.id);',
    by: ': Promise.resolve();',
    test: flow,
    only: 'changed password',
    id: 'VM-16',
  },
  // Second factors.
  {
    breaks: 'a code of an authenticator app works twice',
    file: 'src/second-factor/totp.ts',
    text: ".where('last_step', '<', step)",
    by: '',
    test: 'test/second-factor/totp.test.ts',
    only: 'in SQLite',
    id: 'VM-67',
  },
  {
    breaks: 'a code of an authenticator app works for each of the requests that read it before it was used up',
    file: 'src/second-factor/totp.ts',
    text: ".where('last_step', '<', step)",
    by: ".where('last_step', '<', Number(row.last_step) < step ? step + 1 : step)",
    test: 'test/second-factor/totp.test.ts',
    only: 'in SQLite',
    id: 'VM-68',
  },
  {
    breaks: 'codes of an authenticator app are accepted for longer than two minutes',
    file: 'src/second-factor/totp-code.ts',
    text: '[current + drift, current, current - drift]',
    by: '[current + drift, current, current - drift, current - 2 * drift, current - 3 * drift]',
    test: 'test/second-factor/totp-code.test.ts',
    id: 'V6.5.5',
  },
  {
    breaks: 'the secret of an app works in the row of another user',
    file: 'src/second-factor/totp.ts',
    text: 'totpContext = (id: string)',
    by: "totpContext = (id: string, _none = (id = ''))",
    test: 'test/second-factor/totp.test.ts',
    only: 'in SQLite',
    id: 'V11.3.2',
  },
  {
    breaks: 'a recovery code works twice',
    file: 'src/second-factor/recovery-codes.ts',
    text: "const used = db.deleteFrom('janua_recovery_codes').where((eb) => eb.and(own));",
    by: "const used = db.updateTable('janua_recovery_codes').set({ user_id: owner.userId }).where((eb) => eb.and(own));\n      return (await used.executeTakeFirst()).numUpdatedRows > 0n;",
    test: 'test/second-factor/recovery-codes.test.ts',
    only: 'in SQLite',
    id: 'VM-69',
  },
  {
    breaks: 'a recovery code works for each of the requests that found it before it was removed',
    file: 'src/second-factor/recovery-codes.ts',
    text: 'return (await countDeleted(used)) > 0;',
    by: "const found = await db.selectFrom('janua_recovery_codes').selectAll().where((eb) => eb.and(own)).executeTakeFirst();\n      await used.execute();\n      return found !== undefined;",
    test: 'test/second-factor/recovery-codes.test.ts',
    only: 'in PostgreSQL',
    id: 'VM-69',
  },
  {
    breaks: 'recovery codes are stored as they are shown',
    file: 'src/second-factor/recovery-codes.ts',
    text: "return hashSecret(letters.replaceAll('O', '0').replaceAll(/[IL]/g, '1'));",
    by: "return letters.replaceAll('O', '0').replaceAll(/[IL]/g, '1');",
    test: 'test/second-factor/recovery-codes.test.ts',
    only: 'in SQLite',
    id: 'V14.2.4',
  },
  {
    breaks: 'a password alone starts the session of an account with a second factor',
    file: 'src/second-factor/second-step.ts',
    text: 'throw new Refusal(mfaRequired, undefined, { token, methods });',
    by: "if (token === '') throw new Refusal(mfaRequired, undefined, { token, methods });",
    test: 'test/security/second-factor.test.ts',
    id: 'VM-72',
  },
  {
    breaks: 'a login waits for any number of wrong codes',
    file: 'src/second-factor/pending-logins.ts',
    text: 'const mostFailures = 5;',
    by: 'const mostFailures = 5_000;',
    test: flow,
    only: 'that waits ends',
    id: 'VM-37',
  },
  {
    breaks: 'codes that come at the same time get any number of tries',
    file: 'src/second-factor/second-step.ts',
    text: 'if (!(await pendingLogins.takeTry(id))) return',
    by: "if (!(await pendingLogins.takeTry(id)) && id === '') return",
    test: 'test/flow/postgres-redis.test.ts',
    only: 'takes five of 20 codes',
    id: 'VM-37',
  },
  {
    breaks: 'a login waits for ever',
    file: 'src/second-factor/pending-logins.ts',
    text: ".where('expires_at', '>', now())",
    by: '',
    test: flow,
    only: 'that waits ends',
    id: 'VM-73',
  },
  {
    breaks: 'a login that waits goes on after a change of the password',
    file: 'src/second-factor/second-step.ts',
    text: ' && stampOf(account) === pending?.stamp',
    by: '',
    test: flow,
    only: 'that waits ends',
    id: 'VM-37',
  },
  {
    breaks: 'each of two right codes finishes the same login',
    file: 'src/second-factor/second-step.ts',
    text: 'if (!(await pendingLogins.end(id))) return',
    by: "if (!(await pendingLogins.end(id)) && id === '') return",
    test: 'test/flow/postgres-redis.test.ts',
    only: 'two right codes',
    id: 'V15.4.2',
  },
  {
    breaks: 'a logout leaves a login that waits',
    file: 'src/sign-in/log-out.routes.ts',
    text: 'await parts().secondFactor.abandon(waiting);',
    by: '',
    test: flow,
    only: 'ended by a logout',
    id: 'VM-08',
  },
  {
    breaks: 'trust in a browser outlives the password',
    file: 'src/second-factor/trusted-browsers.ts',
    text: 'eb.and({ ...columnsOf(owner), stamp })',
    by: 'eb.and({ ...columnsOf(owner), ...(stamp === owner.userId && { stamp }) })',
    test: flow,
    only: 'trust in a browser',
    id: 'V7.4.3',
  },
  {
    breaks: 'a browser that one user trusts is trusted for all',
    file: 'src/second-factor/trusted-browsers.ts',
    text: "return (await rowsOf(owner, stamp).where('id', '=', hashSecret(secret)).executeTakeFirst()) !== undefined;",
    by: "const row = database.selectFrom('janua_trusted_browsers').selectAll().where('id', '=', hashSecret(secret));\n      return (await row.executeTakeFirst()) !== undefined;",
    test: flow,
    only: 'trust in a browser',
    id: 'VM-72',
  },
  {
    breaks: 'a new second factor keeps the other sessions',
    file: 'src/second-factor/manage.ts',
    text: 'await sessions.endOthersOf(user.id, session.id);',
    by: '',
    test: flow,
    only: 'the factors of an account',
    id: 'VM-15',
  },
  {
    breaks: 'a password alone is a fresh proof of an account with a second factor',
    file: 'src/sign-in/confirm.ts',
    text: 'if ((isRecent || currentPassword) && (await methodsOf(account)).length === 0) return',
    by: 'if (isRecent || currentPassword) return',
    test: flow,
    only: 'the factors of an account',
    id: 'V7.5.1',
  },
  {
    breaks: 'a session of a trusted browser changes the factors',
    file: 'src/sign-in/confirm.ts',
    text: 'if (isRecent && includesSecondFactor(session.methods)) return',
    by: 'if (isRecent) return',
    test: flow,
    only: 'proved the password alone',
    id: 'V7.5.1',
  },
  {
    breaks: 'a new password lifts the wait after wrong codes',
    file: 'src/sign-in/login-limits.ts',
    text: "if (parsed.kind.startsWith('factor-') && !lifted.codes) return false;",
    by: '',
    test: 'test/second-factor/limits.test.ts',
    id: 'V6.3.1',
  },
  {
    breaks: 'wrong codes are counted by address and pair only',
    file: 'src/sign-in/login-limits.ts',
    text: "keyOf('factor-account', userId),",
    by: '',
    test: 'test/second-factor/limits.test.ts',
    id: 'V6.3.1',
  },
  {
    breaks: 'a challenge of a passkey works twice',
    file: 'src/second-factor/passkeys.ts',
    text: "if (!(await challenges.useUp(read.challenge))) return 'expired-challenge';",
    by: '',
    test: 'test/second-factor/passkeys.test.ts',
    id: 'VM-73',
  },
  {
    breaks: 'a passkey without user verification is a whole login',
    file: 'src/second-factor/passkeys.ts',
    text: 'requireUserVerification: true',
    by: 'requireUserVerification: false',
    test: 'test/second-factor/passkeys.test.ts',
    id: 'VM-78',
  },
  {
    breaks: 'the counter of a passkey may go back',
    file: 'src/second-factor/passkeys.ts',
    text: ".where('counter', counter === 0 ? '=' : '<', counter)",
    by: '',
    test: 'test/second-factor/passkeys.test.ts',
    id: 'VM-78',
  },
  {
    breaks: 'a user renames the passkey of another user',
    file: 'src/second-factor/passkeys.ts',
    text: "database.updateTable('janua_passkeys').where((eb) => eb.and({ id, ...columnsOf(owner) }));",
    by: "database.updateTable('janua_passkeys').where('id', '=', columnsOf(owner) && id);",
    test: 'test/second-factor/passkeys.test.ts',
    only: 'SQLite',
    id: 'VM-74',
  },
  {
    breaks: 'an administrator changes a user who may do more',
    file: 'src/access/scope.ts',
    text: 'changed.flat().every((scope)',
    by: 'changed.flat().some((scope)',
    test: 'test/admin/users.test.ts',
    id: 'VM-92',
  },
  {
    breaks: 'a request has all scopes of its user, whatever its token carries',
    file: 'src/access/access.ts',
    text: 'scopes: readNames(grantScope(scope, scopes)), limited: true',
    by: 'scopes, limited: true',
    test: 'test/access/scope.test.ts',
    id: 'S23',
  },
  {
    breaks: 'a route answers without its scope',
    file: 'src/access/scope.ts',
    text: 'scope !== undefined && !scopes.includes(scope)',
    by: 'scope === undefined',
    test: 'test/access/scope.test.ts',
    id: 'VM-92',
  },
  {
    breaks: 'the last administrator can be removed',
    file: 'src/users/sql-directory.ts',
    text: 'ids.has(userId) && ids.size === 1',
    by: 'ids.has(userId) && ids.size === 0',
    test: 'test/admin/users.test.ts',
    id: 'V8.3.1',
  },
  {
    breaks: 'a path that applications read in two ways meets one rule alone',
    file: 'src/forward-auth/rules.ts',
    text: 'path === undefined ? ofOrigin : [longest]',
    by: '[longest]',
    test: 'test/forward-auth/rules.test.ts',
    id: 'VM-92',
  },
  {
    breaks: 'a cursor of any length is read',
    file: 'src/admin/list.ts',
    text: 'Array.isArray(key) && key.length === length',
    by: 'Array.isArray(key) && key.length >= 0',
    test: 'test/admin/find-users.test.ts',
    id: 'VM-92',
  },
];

/** The files that a run needs besides the packages. */
const parts = [
  'src',
  'selftest',
  'test',
  'scripts',
  'examples',
  'bench',
  'security',
  'docs',
  'bin',
  'package.json',
  'package-lock.json',
  'README.md',
  'tsconfig.json',
];

async function copyTree(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'janua-mutants-'));
  for (const part of parts) await cp(join(root, part), join(folder, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs the tests of a mutant and gives the title of the one that failed. */
async function findCatcher(folder: string, { test, id, only }: Mutant): Promise<string | undefined> {
  const evidence = join(folder, 'evidence.json');
  const args = [
    '--test',
    '--test-timeout=60000',
    ...(only === undefined ? [] : [`--test-name-pattern=${only}`]),
    '--test-reporter=./scripts/evidence-reporter.ts',
    `--test-reporter-destination=${evidence}`,
    test,
  ];
  await once(spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' }), 'exit');
  const found: Evidence[] = JSON.parse(await readFile(evidence, 'utf8'));
  return found.find((item) => item.id === id && item.outcome === 'failed')?.title;
}

const wanted = process.argv.slice(2);
const chosen = mutants.filter(
  ({ id, file, test }) => wanted.length === 0 || wanted.some((name) => [id, file, test].includes(name)),
);
if (chosen.length === 0) throw new Error(`no mutant has the id or file ${wanted.join(', ')}`);
const folder = await copyTree();
const rows = ['what is broken\twhere\tid\ttest\tits title'];
try {
  for (const mutant of chosen) {
    const path = join(folder, mutant.file);
    const original = await readFile(path, 'utf8');
    if (original.split(mutant.text).length !== 2)
      throw new Error(`${mutant.file} must contain exactly once: ${mutant.text}`);
    await writeFile(
      path,
      original.replace(mutant.text, () => mutant.by),
    );
    const catcher = await findCatcher(folder, mutant);
    await writeFile(path, original);
    process.stdout.write(`${catcher === undefined ? '✖' : '✔'} ${mutant.breaks}\n`);
    if (catcher === undefined) process.exitCode = 1;
    else rows.push([mutant.breaks, mutant.file, mutant.id, mutant.test, catcher].join('\t'));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

if (process.exitCode === undefined && wanted.length === 0) await writeFile(list, `${rows.join('\n')}\n`);
