import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { settingSchemas } from '../../src/ground/config/settings.ts';

// No answer shows what the server never does. These tests read its source instead.

const root = fileURLToPath(new URL('../../', import.meta.url));

let sources: [path: string, text: string][];
before(async () => {
  sources = [];
  for await (const path of glob('{src,selftest}/**/*.{ts,js,eta}', { cwd: root }))
    sources.push([path.replaceAll('\\', '/'), await readFile(root + path, 'utf8')]);
  for (const folder of ['src/', 'selftest/'])
    assert.ok(sources.filter(([path]) => path.startsWith(folder)).length > 10, folder);
});

interface Rule {
  readonly name: string;
  readonly never: RegExp;
  /** Files that may match. */
  readonly except?: readonly string[];
}

const rules: Rule[] = [
  { name: 'the server runs no other program', never: /child_process|\bexecFile\b|\bspawn\(/ },
  {
    name: 'no regular expression is built at runtime',
    never: /new RegExp\(|[^.\w]RegExp\(/,
    // From a constant, which the files in deploy/ have too.
    except: ['src/capabilities/forward-auth/rules.ts'],
  },
  { name: 'no code is built from text', never: /\beval\(|new Function\(|node:vm/ },
  { name: 'no template is built from text', never: /renderString|compileToString/ },
  {
    name: 'SQL has only bound or escaped values',
    // Finds raw templates, concatenated texts, and texts without parameters. One statement is only printed for operators.
    never:
      /sql\.raw\(|sql\.lit\((?!(?:1|\w+(?:Page|Size|AtOnce)|limit|most|mostRecords\.ofGrant|kind|length|turn\w*)\))|CompiledQuery\.raw|\.(?:query|prepare)\(`[^`]*\$\{|\.sql\b[^;\n]*(?:\+|\.replace)|\bsql:\s*(?:`|[^,}]*(?:\+|\breplace))|(?<![\w>])`\s*(?!select \$\{shown\}, count\(\*\) from \$\{quoteName\()(?:select|insert into|update|delete from)\s[^`]*\$\{|(['"])(?:select|insert into|update|delete from)\s[^'"\n]*\1\s*\+/i,
  },
  {
    name: 'page scripts write only text, find elements by our own ids, store nothing, and use no other window',
    never:
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage|sessionStorage|indexedDB|postMessage|document\[|window\[/,
    // Messages to our own threads.
    except: [
      'src/core/passwords/hashing/thread.ts',
      'src/core/passwords/hashing/threads.ts',
      'src/capabilities/oidc/clients/outside-exchange.ts',
      'src/capabilities/oidc/clients/outside-thread.ts',
    ],
  },
  {
    name: 'the server connects only to its stores, a mail server, Pwned Passwords, a trace collector, the providers of the settings and, guarded, applications, setup to a name server, and the selftest only to its target',
    // Finds Node's functions that connect, and the clients of the stores, of a mail server and of a collector.
    never:
      /\bfetch\(|\bWebSocket\(|https?\.(?:get|request)\(|\b(?:net|tls|http2)\.(?:connect|createConnection)\(|node:(?:https|dgram|dns)|undici|\{[^}]*\b(?:request|get|connect|createConnection)\b[^}]*\} (?:from|=)[^;\n]*'node:(?:http2?|net|tls)'|(?:from |import\()'(?:pg|mysql2|ioredis|nodemailer|openid-client)'|exporter-/,
    except: [
      'src/ground/database/postgres.ts',
      'src/ground/database/mysql.ts',
      'src/core/mail/transport.ts',
      // It asks for the addresses of the name that an operator types.
      'src/commands/ask-settings.ts',
      // It calls only what it is given.
      'src/capabilities/oidc/clients/documents.ts',
      'src/capabilities/oidc/keys/published-keys.ts',
      'src/capabilities/oidc/clients/outside-exchange.ts',
      'src/capabilities/oidc/provider/fetch.ts',
      'src/capabilities/oidc/clients/resolve-addresses.ts',
      // It asks the server itself.
      'src/doctor/openid.ts',
      'src/core/passwords/pwned-passwords.ts',
      'src/ground/redis/redis.ts',
      'src/ground/redis/tls-connector.ts',
      'src/core/telemetry/traces.ts',
      'src/doctor/upstreams.ts',
      'src/capabilities/upstream/configurations.ts',
      'src/capabilities/upstream/provider.ts',
      // They run in the browser, and request only our own server.
      'src/web/assets/pages.js',
      'src/web/assets/passkeys.js',
      'selftest/client.ts',
    ],
  },
  {
    name: 'only the selftest command imports more of the selftest than its findings',
    never: /selftest\/(?!finding\.ts')/,
    except: ['src/commands/selftest.ts'],
  },
  {
    name: 'certificate checks are never turned off',
    // A mail server on this machine may have any certificate.
    never: /(?<!'if-offered': \{ secure: false, tls: \{ )rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED/,
  },
  { name: 'random values never come from Math.random', never: /Math\.random\(/ },
  {
    name: 'only secrets for the database are encrypted',
    never: /create(?:C|Dec)ipheriv|publicEncrypt|privateDecrypt|subtle\./,
    except: ['src/ground/encryption/cipher.ts'],
  },
  {
    name: 'the only cipher is AES-256-GCM',
    never: /'(?:aes|camellia|chacha20|des|rc\d|sm4)-(?!256-gcm')/,
  },
  {
    name: 'hashes and signatures use SHA-256',
    never: /(?:createHash|createHmac|\bhash)\(\s*'(?!sha256')/,
    // Pwned Passwords is asked by SHA-1, and authenticator apps make their codes with it.
    except: ['src/core/passwords/pwned-passwords.ts', 'src/capabilities/second-factor/totp-code.ts'],
  },
  {
    name: 'cryptography comes only from Node and from the two bindings for stored passwords',
    never:
      /from '(?!\.|node:crypto'|@node-rs\/(?:argon2|bcrypt)')[^']*(?:crypto|bcrypt|argon|sha\d|jose|jsonwebtoken|tweetnacl|sodium)[^']*'/,
  },
  {
    name: 'no secret is in the source',
    // Finds a PEM key, a cloud key, a long text in base64 or hex that is no UUID, and a constant whose name says secret. The demo's password is public.
    never:
      /-----BEGIN (?!CERTIFICATE)|AKIA[0-9A-Z]{16}|(['"`])(?![\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}\1)(?:(?=[^'"`]*\d)(?=[^'"`]*[A-Z])(?=[^'"`]*[a-z])[\w+/-]{32,}={0,2}|[\da-f]{32,})\1|(?:secret|password|passphrase|token|(?:api|private|secret|signing)_?key)['"]?(?:\s*:\s*string)?\s*(?:[:=]|={2,3}|\?\?|\|\|)\s*(['"`])(?!(?:password|string|reset-password|not-granted|access-token)\2)[^\s'"`$/…][^\s'"`$…]{5,}\2/i,
  },
];

describe('the source', () => {
  for (const { name, never, except = [] } of rules) {
    test(name, () => {
      const found = sources.filter(([path, text]) => never.test(text) && !except.includes(path)).map(([path]) => path);
      assert.deepEqual(found, []);
      for (const path of except)
        assert.ok(
          sources.some(([known, text]) => known === path && never.test(text)),
          `${path} needs no exception`,
        );
    });
  }
});

/** Matches both sides of a comparison, which may be calls or in brackets. A comparing method gives only its argument. */
const operand = String.raw`[\w$.?!]+(?:\((?:[^()]|\([^()]*\))*\))?`;
const comparisons = new RegExp(
  String.raw`(${operand})\)*\s*[!=]==?\s*\(*(['"\`]?${operand})|\.(?:equals|compare|includes|indexOf|startsWith|localeCompare)\(([^()]*)\)`,
  'g',
);
const isSecret = (text: string) =>
  /secret|hash|signature|\bsign\b|hmac|mac\b|(?<!name)digest|credential|ticket|token|nonce|presented|\bmade\b/i.test(
    text,
  );
const isPlain = (text: string) => /^(?:undefined|null|true|false|\d.*|['"`].*)$|\.length$/.test(text);

/** Comparisons whose duration reveals nothing secret. */
const openComparisons = new Map([
  ['.includes(current.passwordHash)', 'stored hashes'],
  ['signature !== own', 'compared only after a right password'],
  ['.includes(token_format)', 'a word'],
  ['.startsWith(accessTokenPrefix)', 'a public prefix'],
  ['token.clientId === client.clientId', 'public ids'],
  ['account.passwordHash === candidate.passwordHash', 'two reads of one stored hash'],
  ['passwordPrint !== passwordPrintOf(passwordHash)', 'two stored values'],
  ["askSecret('The same again: ')) === first", 'what one person types twice'],
]);

test('secrets, hashes and signatures are compared in constant time', () => {
  const found = new Set<string>();
  for (const [path, text] of sources) {
    if (!path.endsWith('.ts')) continue;
    for (const [comparison, left = '', right = '', argument = ''] of text.matchAll(comparisons)) {
      const sides = [left, right, argument].filter((side) => side !== '');
      if (!sides.some(isPlain) && sides.some(isSecret)) found.add(comparison);
    }
    // In this code, buffers that are compared always hold secrets.
    if (/\.equals\(|Buffer\.compare\(/.test(text)) found.add(`${path}: buffers`);
  }
  assert.deepEqual([...found].sort(), [...openComparisons.keys()].sort());
});

test('no column or setting stores password hints or security questions, and nothing depends on the age of a password', () => {
  const schema = sources.find(([path]) => path === 'src/ground/database/schema.ts')?.[1] ?? '';
  assert.match(schema, /password_print/);
  assert.doesNotMatch(schema, /hint|question|answer|password_expires/);
  // Users see when they changed it.
  const age =
    /where\('password_changed_at|passwordChangedAt[?!]?(?:\.getTime\(\))? [<>+-]|[<>+-] \w*\.?passwordChangedAt/;
  assert.deepEqual(
    sources.filter(([, text]) => age.test(text)).map(([path]) => path),
    [],
  );
  assert.deepEqual(
    Object.keys(settingSchemas).filter((name) => /PASSWORD.*(?:AGE|EXPIR|DAYS)/.test(name)),
    [],
  );
});

test('no file of the repository contains a key', async () => {
  for (const path of ['package.json', 'bin/janua.mjs', 'README.md', 'docs/running.md']) {
    assert.doesNotMatch(await readFile(root + path, 'utf8'), /-----BEGIN|AKIA[0-9A-Z]{16}/);
  }
  for (const name of ['.env', '.env.local']) await assert.rejects(readFile(root + name), /ENOENT/);
});

test('every redirect of a route names its status, 303', () => {
  let count = 0;
  for (const [path, text] of sources)
    for (const [call] of path.endsWith('.ts') ? text.matchAll(/reply\.redirect\((?:[^()]|\([^()]*\))*\)/g) : []) {
      count += 1;
      assert.match(call, /, 303\)$/, `${path}: ${call}`);
    }
  assert.ok(count > 15, String(count));
});
