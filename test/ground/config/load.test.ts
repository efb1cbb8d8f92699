import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadSettings, requireSafeExposure, takeSettings } from '../../../src/ground/config/load.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';

const load = (environment: Record<string, string>) => loadSettings({}, environment);

test('an empty environment gives the defaults', () => {
  const settings = load({});
  assert.equal(settings.HOST, '127.0.0.1');
  assert.equal(settings.PORT, 5000);
  assert.equal(settings.DATABASE_URL, 'sqlite:./data/janua.db');
  assert.equal(settings.PUBLIC_URL, undefined);
  assert.deepEqual(settings.CORS_ORIGINS, []);
  assert.equal(settings.LOG_LEVEL, 'info');
});

test('texts are converted to the type of the setting, and an empty text counts as missing', () => {
  const settings = load({ PORT: ' 8080 ', CORS_ORIGINS: 'https://a.example, https://b.example', HOST: '' });
  assert.equal(settings.PORT, 8080);
  assert.deepEqual(settings.CORS_ORIGINS, ['https://a.example', 'https://b.example']);
  assert.equal(settings.HOST, '127.0.0.1');
});

test('PUBLIC_URL may end with a slash', () => {
  for (const PUBLIC_URL of ['https://auth.example.com', 'https://auth.example.com/'])
    assert.equal(load({ PUBLIC_URL }).PUBLIC_URL, 'https://auth.example.com');
});

test('HASHING_CONCURRENCY defaults to an equal share of the cores for each worker', () => {
  const cores = availableParallelism();
  for (const [workers, each] of [
    [1, cores],
    [2, Math.ceil(cores / 2)],
    [64, Math.ceil(cores / 64)],
  ])
    assert.equal(load({ WORKERS: String(workers) }).HASHING_CONCURRENCY, each);
  assert.equal(load({ WORKERS: '2', HASHING_CONCURRENCY: '7' }).HASHING_CONCURRENCY, 7);
});

test('defaults of a command override those of the settings, and the environment overrides both', () => {
  assert.equal(loadSettings({ LOG_LEVEL: 'warn' }, {}).LOG_LEVEL, 'warn');
  assert.equal(loadSettings({ LOG_LEVEL: 'warn' }, { LOG_LEVEL: 'debug' }).LOG_LEVEL, 'debug');
});

describe('a setting that may carry a password', () => {
  const folder = createTemporaryFolder('settings');
  after(() => folder.remove());
  const file = join(folder.path, 'url');
  writeFileSync(file, 'postgres://janua:secret@localhost/auth\n');
  const mail = join(folder.path, 'mail');
  writeFileSync(mail, 'smtps://a:secret@example.com\n');
  const empty = join(folder.path, 'empty');
  writeFileSync(empty, ' \n');

  test('may be in a file', () => {
    assert.equal(load({ DATABASE_URL_FILE: file }).DATABASE_URL, 'postgres://janua:secret@localhost/auth');
    assert.equal(load({ REDIS_URL_FILE: file }).REDIS_URL, 'postgres://janua:secret@localhost/auth');
    assert.equal(load({ MAIL_URL_FILE: mail, MAIL_FROM: 'a@example.com' }).MAIL_URL, 'smtps://a:secret@example.com');
    assert.equal(load({ APP_NAME_FILE: file }).APP_NAME, 'Janua', 'only the settings with passwords have a _FILE form');
    assert.equal(load({ REDIS_URL: ' ', REDIS_URL_FILE: file }).REDIS_URL, 'postgres://janua:secret@localhost/auth');
  });

  test('is refused when set in both places, or in a file that is unreadable or empty', () => {
    for (const environment of [
      { DATABASE_URL_FILE: file, DATABASE_URL: 'sqlite:./other.db' },
      { DATABASE_URL_FILE: `${file}.gone` },
      { REDIS_URL_FILE: folder.path },
      { REDIS_URL_FILE: empty },
    ])
      assert.throws(
        () => load(environment),
        /^Misconfiguration: (?:DATABASE_URL and DATABASE_URL_FILE are both set|\w+_FILE: the file (?:cannot be read|is empty)\.)/,
      );
  });
});

describe('the error for a wrong value names the setting without the value', () => {
  for (const [name, value] of [
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '1e3'],
    ['PORT', 'canary'],
    ['DOCS', 'canary'],
    ['LOG_LEVEL', 'canary'],
    ['APP_NAME', 'canary'.repeat(20)],
    ['SESSION_IDLE_SECONDS', '59'],
    ['SESSION_LIFETIME_SECONDS', '2592001'],
    ['HASHING_CONCURRENCY', '0'],
    ['WORKERS', '0'],
    ['WORKERS', '65'],
    ['THROTTLE', 'canary'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '127.0.0.1, canary'],
    ['AUDIT_RETENTION_DAYS', '0'],
    ['MAIL_FROM', 'canary'],
    ['MAIL_FROM', 'a@example.com, canary@example.com'],
  ] as const) {
    test(`${name}=${value}`, () => {
      assert.throws(
        () => load({ [name]: value }),
        (error) =>
          error instanceof Misconfiguration &&
          error.faults.length === 1 &&
          error.message.startsWith(`${name} must be `) &&
          !error.message.includes('canary'),
      );
    });
  }
});

describe('the exposure check', () => {
  const faultsOf = (environment: Record<string, string>, mode: 'demo' | 'serve') => {
    try {
      requireSafeExposure(load(environment), mode);
      return 0;
    } catch (error) {
      assert.ok(error instanceof Misconfiguration);
      return error.faults.length;
    }
  };

  for (const HOST of ['127.0.0.1', '127.1.2.3', '::1', '::1%lo', 'localhost', 'LOCALHOST', '[::1]']) {
    test(`accepts ${HOST} as this machine alone`, () => {
      assert.equal(faultsOf({ HOST }, 'demo'), 0);
      assert.equal(faultsOf({ HOST }, 'serve'), 0);
    });
  }

  test('refuses passwords over plain HTTP beyond this machine, unless the network is trusted', () => {
    const PUBLIC_URL = 'http://auth.example.com';
    assert.equal(faultsOf({ PUBLIC_URL }, 'serve'), 1);
    assert.equal(faultsOf({ PUBLIC_URL, ALLOW_PLAIN_HTTP: 'on' }, 'serve'), 0);
    assert.equal(faultsOf({ PUBLIC_URL: 'https://auth.example.com' }, 'serve'), 0);
  });

  for (const HOST of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '::ffff:10.0.0.1',
    'localhost.example',
    '127.0.0.1.example',
    '128.0.0.1',
    '127.0.0.0/8',
  ]) {
    test(`refuses ${HOST} as reachable from other machines`, () => {
      assert.equal(faultsOf({ HOST }, 'demo'), 1);
      assert.equal(faultsOf({ HOST }, 'serve'), 2);
      assert.equal(faultsOf({ HOST, PUBLIC_URL: 'https://auth.example.com' }, 'serve'), 1);
      assert.equal(faultsOf({ HOST, PUBLIC_URL: 'http://localhost:8080' }, 'serve'), 1);
      assert.equal(faultsOf({ HOST, PUBLIC_URL: 'https://auth.example.com', ALLOW_PLAIN_HTTP: 'on' }, 'serve'), 0);
      const behindProxy = { HOST, TRUSTED_PROXIES: '10.0.0.2' };
      assert.equal(faultsOf({ ...behindProxy, PUBLIC_URL: 'https://auth.example.com' }, 'serve'), 0);
      assert.equal(faultsOf({ ...behindProxy, PUBLIC_URL: 'http://auth.example.com' }, 'serve'), 2);
    });
  }

  test('allows THROTTLE=off on this machine alone', () => {
    assert.equal(faultsOf({ THROTTLE: 'off' }, 'serve'), 0);
    assert.equal(faultsOf({ THROTTLE: 'off', PUBLIC_URL: 'http://localhost:8080' }, 'serve'), 0);
    assert.equal(faultsOf({ THROTTLE: 'off', PUBLIC_URL: 'https://auth.example.com' }, 'serve'), 1);
    const plain = { PUBLIC_URL: 'https://auth.example.com', ALLOW_PLAIN_HTTP: 'on' };
    assert.equal(faultsOf({ THROTTLE: 'off', HOST: '0.0.0.0', ...plain }, 'serve'), 1);
  });

  test('allows the demo only one process', () => {
    assert.equal(faultsOf({ WORKERS: '2' }, 'demo'), 1);
    assert.equal(faultsOf({ WORKERS: '2' }, 'serve'), 0);
  });

  test('allows mail only with a sender, and in an app only with a public URL', () => {
    const mail = { MAIL_URL: 'smtps://janua:canary@mail.example.com', MAIL_FROM: 'Example <no-reply@example.com>' };
    assert.equal(faultsOf(mail, 'serve'), 0);
    assert.equal(faultsOf({ MAIL_URL: mail.MAIL_URL }, 'serve'), 1);
    for (const MAIL_URL of ['mail.example.com', 'http://mail.example.com', 'smtp://canary@mail.example.com'])
      assert.equal(faultsOf({ ...mail, MAIL_URL }, 'serve'), 1);
    assert.throws(() => takeSettings(mail), /^Misconfiguration: PUBLIC_URL must be set when MAIL_URL is/);
    assert.equal(takeSettings({ ...mail, PUBLIC_URL: 'https://app.example.com' }).MAIL_URL, mail.MAIL_URL);
  });

  test('allows sign-up only with a mail server, except in the demo', () => {
    const mail = { MAIL_URL: 'smtps://mail.example.com', MAIL_FROM: 'no-reply@example.com' };
    assert.equal(faultsOf({ SIGN_UP: 'on' }, 'serve'), 1);
    assert.equal(faultsOf({ SIGN_UP: 'on', ...mail }, 'serve'), 0);
    assert.equal(faultsOf({ SIGN_UP: 'on', ...mail, USERS_TABLE: 'staff' }, 'serve'), 1);
    assert.equal(faultsOf({ SIGN_UP: 'on' }, 'demo'), 0);
  });

  test('allows PASSKEY_DOMAIN to be the host of PUBLIC_URL or above it', () => {
    const PUBLIC_URL = 'https://auth.app.example.com:8443';
    for (const domain of ['auth.app.example.com', 'app.example.com', 'Example.COM'])
      assert.equal(faultsOf({ PUBLIC_URL, PASSKEY_DOMAIN: domain }, 'serve'), 0, domain);
    for (const domain of [
      'com',
      'ample.com',
      'x.auth.app.example.com',
      'example.org',
      '.example.com',
      'https://example.com',
    ])
      assert.equal(faultsOf({ PUBLIC_URL, PASSKEY_DOMAIN: domain }, 'serve'), 1, domain);
    assert.equal(faultsOf({ PUBLIC_URL: 'https://10.0.0.1', PASSKEY_DOMAIN: '0.0.1' }, 'serve'), 1);
    assert.equal(faultsOf({ PUBLIC_URL: 'https://10.0.0.1', PASSKEY_DOMAIN: '10.0.0.1' }, 'serve'), 1);
    assert.equal(faultsOf({ PASSKEY_DOMAIN: 'localhost' }, 'serve'), 0);
    assert.equal(faultsOf({ PASSKEY_DOMAIN: 'example.com' }, 'serve'), 1);
  });

  test('names all faults at once', () => {
    assert.equal(faultsOf({ HOST: '0.0.0.0', CORS_ORIGINS: 'x', PUBLIC_URL: 'x' }, 'serve'), 2);
  });

  const behindProxy = { PUBLIC_URL: 'https://auth.example.com', TRUSTED_PROXIES: '127.0.0.1' };

  for (const name of ['CLIENT_ID_METADATA', 'OIDC_PRIVATE_HOSTS']) {
    for (const host of ['https://a.example', 'u@a.example', 'a.example/x', '*.example', 'a b', 'bücher.example'])
      test(`refuses ${name}=${host}`, () => assert.equal(faultsOf({ [name]: host }, 'serve'), 1));
    for (const host of ['grafana', 'A.example', '10.0.0.7', '[fd00::1]'])
      test(`takes ${name}=${host}`, () => assert.equal(faultsOf({ [name]: host }, 'serve'), 0));
  }
  test('takes a port of CLIENT_ID_METADATA alone', () =>
    assert.deepEqual(
      ['CLIENT_ID_METADATA', 'OIDC_PRIVATE_HOSTS'].map((name) => faultsOf({ [name]: 'a.example:8443' }, 'serve')),
      [0, 1],
    ));
  for (const CORS_ORIGINS of ['*', 'null', 'app.example.com', 'https://a.example/x', 'https://*.example']) {
    test(`refuses CORS_ORIGINS=${CORS_ORIGINS}`, () => assert.equal(faultsOf({ CORS_ORIGINS }, 'serve'), 1));
    test(`refuses FORWARD_AUTH_ORIGINS=${CORS_ORIGINS}`, () =>
      assert.equal(faultsOf({ ...behindProxy, FORWARD_AUTH_ORIGINS: CORS_ORIGINS }, 'serve'), 1));
  }

  test('refuses a rule that names no group beside `basic`', () => {
    const origins = { ...behindProxy, FORWARD_AUTH_ORIGINS: 'https://dav.example.com' };
    for (const [words, faults] of [
      ['basic', 1],
      ['basic|basic', 1],
      ['staff|basic', 0],
      ['machines|basic', 0],
    ] as const)
      assert.equal(
        faultsOf({ ...origins, FORWARD_AUTH_RULES: `https://dav.example.com=${words}` }, 'serve'),
        faults,
        words,
      );
  });

  test('refuses a further header that cannot be sent, or that could take rights from a custom claim', () => {
    const wiki = 'https://wiki.example.com';
    const many = (count: number) => Array.from({ length: count }, (_, index) => `${wiki} Remote-A${index}=id`).join();
    for (const [headers, faults] of [
      [`${wiki} Remote-Department=claim:department, ${wiki} Remote-Id=id`, 0],
      [`${wiki} Remote-Roles=groups:staff|ops=admin, ${wiki} Remote-Entitlements=constant:x`, 0],
      [`${wiki} Remote-Id=id, https://auth.example.com Remote-Id=id`, 0],
      [many(16), 0],
      [many(17), 1],
      ['Remote-Id=id', 1],
      ['https://other.example.com Remote-Id=id', 1],
      [`${wiki} REMOTE-user=handle`, 1],
      [`${wiki} Remote-Groups=groups:staff`, 1],
      [`${wiki} Remote-Name=name`, 1],
      [`${wiki} Remote-Email=address`, 1],
      [`${wiki} Remote-Id=id, ${wiki} remote-id=handle`, 1],
      [`${wiki} Remote-Roles=claim:role`, 1],
      [`${wiki} Remote-Entitlements=name`, 1],
      [`${wiki} Remote-Preferred-Username=claim:nick`, 1],
      [`${wiki} Remote-Preferred-Username=handle`, 0],
    ] as const)
      assert.equal(
        faultsOf({ ...behindProxy, FORWARD_AUTH_ORIGINS: wiki, FORWARD_AUTH_HEADERS: headers }, 'serve'),
        faults,
        headers,
      );
  });

  test('allows FORWARD_AUTH_ORIGINS only with a public URL, a trusted proxy, and HTTPS beyond this machine', () => {
    const others = { FORWARD_AUTH_ORIGINS: 'https://app.example.com, http://localhost:3000' };
    assert.equal(faultsOf({ ...behindProxy, ...others }, 'serve'), 0);
    assert.equal(faultsOf(others, 'serve'), 2);
    for (const origins of ['http://app.example.com', 'https://a.example, http://app.example.com, https://b.example']) {
      const plain = { ...behindProxy, FORWARD_AUTH_ORIGINS: origins };
      assert.equal(faultsOf(plain, 'serve'), 1, origins);
      assert.equal(faultsOf({ ...plain, ALLOW_PLAIN_HTTP: 'on' }, 'serve'), 0, origins);
    }
  });
});
