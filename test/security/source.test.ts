import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { settingsSchema } from '../../src/config/settings.ts';

// What the server does not do can be seen in no answer: here its own text is read.

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
  /** Where it is used on purpose. */
  readonly except?: readonly string[];
}

const rules: Rule[] = [
  // Shows: V1.2.5
  { name: 'no other program is run', never: /child_process|\bexecFile\b|\bspawn\(/ },
  // Shows: V1.2.9
  { name: 'no regular expression is made from what is sent', never: /new RegExp\(|[^.\w]RegExp\(/ },
  // Shows: V1.3.2
  { name: 'no code is made from text', never: /\beval\(|new Function\(|node:vm/ },
  // Shows: V1.3.7
  { name: 'no template is made from text', never: /renderString|compileToString/ },
  {
    // Shows: V1.2.4
    name: 'SQL is made of parts that are bound or escaped',
    // A template that is not Kysely's, a text that is put together, or one that goes past the parameters. One is shown, for operators to run.
    never:
      /sql\.raw\(|sql\.lit\((?!\w+(?:Page|Size)\))|CompiledQuery\.raw|\.(?:query|prepare)\(`[^`]*\$\{|\.sql\b[^;\n]*(?:\+|\.replace)|\bsql:\s*(?:`|[^,}]*(?:\+|\breplace))|(?<![\w>])`\s*(?!select \$\{shown\}, count\(\*\) from \$\{quoteName\()(?:select|insert into|update|delete from)\s[^`]*\$\{|(['"])(?:select|insert into|update|delete from)\s[^'"\n]*\1\s*\+/i,
  },
  {
    // Shows: V3.2.2 V3.2.3 V14.3.3
    name: 'scripts of pages write text, find elements by ids of our own, keep nothing, and talk to no other window',
    never:
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|localStorage|sessionStorage|indexedDB|postMessage|document\[|window\[/,
    // To threads of our own.
    except: ['src/passwords/hashing/thread.ts', 'src/passwords/hashing/threads.ts'],
  },
  {
    // Shows: V13.2.4 V13.2.5
    name: 'the server connects only to the stores and a collector of traces, and selftest only to the server that it tests',
    // Node's own ways out, and the clients of the stores and of a collector.
    never:
      /\bfetch\(|\bWebSocket\(|https?\.(?:get|request)\(|\b(?:net|tls|http2)\.(?:connect|createConnection)\(|node:(?:https|dgram|dns)|undici|\{[^}]*\b(?:request|get|connect|createConnection)\b[^}]*\} (?:from|=)[^;\n]*'node:(?:http2?|net|tls)'|from '(?:pg|mysql2|ioredis)'|exporter-/,
    except: [
      'src/database/postgres.ts',
      'src/database/mysql.ts',
      'src/redis/redis.ts',
      'src/redis/redis-url.ts',
      'src/redis/tls-connector.ts',
      'src/telemetry/traces.ts',
      // In the browser, of our own server.
      'src/web/assets/pages.js',
      'selftest/client.ts',
    ],
  },
  {
    // Shows: V13.2.4 V13.2.5
    name: 'only the selftest command imports more of the selftest than its findings',
    never: /selftest\/(?!finding\.ts')/,
    except: ['src/commands/selftest.ts'],
  },
  // Shows: V12.3.2
  { name: 'certificates are checked', never: /rejectUnauthorized:\s*false|NODE_TLS_REJECT_UNAUTHORIZED/ },
  // Shows: V11.5.1 V11.5.2
  { name: 'random values come from the system', never: /Math\.random\(/ },
  {
    // Shows: V11.3.1
    name: 'nothing is encrypted, so nothing badly',
    never: /createCipher|createDecipher|publicEncrypt|privateDecrypt|subtle\./,
  },
  {
    // Shows: V11.4.1 V11.4.3
    name: 'what is hashed or signed is so with SHA-256',
    never: /(?:createHash|createHmac|\bhash)\(\s*'(?!sha256')/,
  },
  {
    // Shows: V11.2.1
    name: 'cryptography is that of Node and of the two bindings for stored passwords',
    never:
      /from '(?!\.|node:crypto'|@node-rs\/(?:argon2|bcrypt)')[^']*(?:crypto|bcrypt|argon|sha\d|jose|jsonwebtoken|tweetnacl|sodium)[^']*'/,
  },
  {
    // Shows: V13.3.1
    name: 'no secret is in the source',
    // A key in PEM, one of a cloud, a long text in base64 or hex, and a constant that is named so; the demo's password is no secret.
    never:
      /-----BEGIN (?!CERTIFICATE)|AKIA[0-9A-Z]{16}|(['"`])(?:(?=[^'"`]*\d)(?=[^'"`]*[A-Z])(?=[^'"`]*[a-z])[\w+/-]{32,}={0,2}|[\da-f]{32,})\1|(?:secret|password|passphrase|token|(?:api|private|secret|signing)_?key)['"]?(?:\s*:\s*string)?\s*(?:[:=]|={2,3}|\?\?|\|\|)\s*(['"`])(?!(?:password|string)\2)[^\s'"`$/…][^\s'"`$…]{5,}\2/i,
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

/** Both sides of a comparison; a side may be a call, or stand in brackets. What is called to compare has its argument alone. */
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

/** Of what nothing is learnt, however long it takes. */
const openComparisons = new Map([
  ['.includes(current.passwordHash)', 'stored hashes'],
  ['signature !== own', 'whose password was right'],
]);

// Shows: V11.2.4
test('secrets, hashes and signatures are compared in constant time', () => {
  const found = new Set<string>();
  for (const [path, text] of sources) {
    if (!path.endsWith('.ts')) continue;
    for (const [comparison, left = '', right = '', argument = ''] of text.matchAll(comparisons)) {
      const sides = [left, right, argument].filter((side) => side !== '');
      if (!sides.some(isPlain) && sides.some(isSecret)) found.add(comparison);
    }
    // Buffers can hold nothing else here.
    if (/\.equals\(|Buffer\.compare\(/.test(text)) found.add(`${path}: buffers`);
  }
  assert.deepEqual([...found].sort(), [...openComparisons.keys()].sort());
});

// Shows: V6.2.10 V6.4.2
test('no column and no setting is for hints, questions or the age of a password', () => {
  const schema = sources.find(([path]) => path === 'src/database/schema.ts')?.[1] ?? '';
  assert.match(schema, /password_hash/);
  assert.doesNotMatch(schema, /hint|question|answer|password_(?:expires|changed|set)_at/);
  assert.deepEqual(
    Object.keys(settingsSchema.properties).filter((name) => /PASSWORD.*(?:AGE|EXPIR|DAYS)/.test(name)),
    [],
  );
});

// Shows: V13.3.1
test('no file that is kept holds a secret', async () => {
  for (const path of ['package.json', 'bin/janua.mjs', 'README.md', 'docs/operation.md']) {
    assert.doesNotMatch(await readFile(root + path, 'utf8'), /-----BEGIN|AKIA[0-9A-Z]{16}/);
  }
  for (const name of ['.env', '.env.local']) await assert.rejects(readFile(root + name), /ENOENT/);
});
