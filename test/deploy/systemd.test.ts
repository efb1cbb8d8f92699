import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { adminCommand } from '../../src/ground/config/own-command.ts';
import { type SettingSchema, settingSchemas } from '../../src/ground/config/settings.ts';
import { createWorkplace } from '../commands/janua-command.ts';
import { findProgram } from '../servers/find-program.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';

const execute = promisify(execFile);
const analyze = findProgram('systemd-analyze');
const skip = analyze === undefined && process.env.CI !== 'true' && 'no systemd-analyze was found';

const deployed = (name: string) => new URL(`../../deploy/${name}`, import.meta.url);

/** The largest exposure that `systemd-analyze security` may report, in tenths. It calls 2 OK, and 10 unsafe. */
const exposure = 15;

test('systemd accepts the units without a complaint, and rates them as hardened', { skip }, async () => {
  const folder = createTemporaryFolder('unit');
  try {
    // systemd checks that the program exists.
    const program = join(folder.path, 'janua');
    await writeFile(program, '#!/bin/sh\n', { mode: 0o755 });
    const text = await readFile(deployed('janua.service'), 'utf8');
    assert.ok(text.includes('ExecStart=/usr/local/bin/janua serve\n'));
    const commented = text.replaceAll(/^#(?=LoadCredential|Environment)/gm, '');
    assert.notEqual(commented, text);
    const backup = await readFile(deployed('janua-backup.service'), 'utf8');
    assert.ok(backup.includes('ExecStart=/usr/local/bin/janua backup --keep 7 /var/lib/janua/backups\n'));
    for (const unit of [text, backup]) assert.ok(unit.includes(`\nEnvironment=JANUA_COMMAND=${adminCommand}\n`));
    for (const [name, unit] of [
      ['janua', text],
      ['janua', commented],
      ['janua-backup', backup],
    ] as const) {
      const file = join(folder.path, `${name}.service`);
      await writeFile(file, unit.replace('/usr/local/bin/janua', program));
      const verified = await execute(analyze ?? '', ['verify', '--man=no', '--recursive-errors=no', file]);
      assert.equal(verified.stdout + verified.stderr, '');
      const args = ['security', '--offline=true', '--no-pager', `--threshold=${exposure}`, file];
      const { stdout } = await execute(analyze ?? '', args);
      assert.match(stdout, new RegExp(`Overall exposure level for ${name}\\.service: [01]\\.\\d (?:OK|SAFE)`));
    }
    const timer = join(folder.path, 'janua-backup.timer');
    await copyFile(deployed('janua-backup.timer'), timer);
    const verified = await execute(analyze ?? '', ['verify', '--man=no', '--recursive-errors=no', timer]);
    assert.equal(verified.stdout + verified.stderr, '');
  } finally {
    folder.remove();
  }
});

test('the unit and janua-admin read every setting that may hold a password from a file', async () => {
  const [unit, script] = await Promise.all(
    ['janua.service', 'janua-admin'].map((name) => readFile(deployed(name), 'utf8')),
  );
  const secrets = Object.entries<SettingSchema>(settingSchemas).filter(([, { format }]) => format === 'password');
  assert.ok(secrets.length >= 3);
  for (const [name] of secrets) {
    const file = name.toLowerCase().replaceAll('_', '-');
    assert.ok(
      unit?.includes(`#LoadCredential=${file}:/etc/janua/${file}\n#Environment=${name}_FILE=%d/${file}\n`),
      name,
    );
    assert.match(script ?? '', new RegExp(`for name in [A-Z_ ]*\\b${name}\\b`));
  }
});

test('janua-admin runs a command with the settings of the service', {
  skip: process.platform === 'win32',
}, async () => {
  await using workplace = await createWorkplace();
  const { folder } = workplace;
  const script = join(folder, 'janua-admin');
  await copyFile(deployed('janua-admin'), script);
  const text = await readFile(script, 'utf8');
  const account = userInfo();
  // Only root can switch to another account.
  const own = process.getuid?.() === 0 ? `setpriv --reuid=${account.uid} --regid=${account.gid} --init-groups` : '';
  const changed = text
    .replace('setpriv --reuid=janua --regid=janua --init-groups', own)
    .replace('install -m 0400 -o janua', 'install -m 0400')
    .replaceAll('/run/', `${folder}/run-`)
    .replace('/usr/local/bin/janua', `"${process.execPath}" "${join(import.meta.dirname, '../../src/cli.ts')}"`)
    .replaceAll('/etc/janua', folder)
    .replaceAll('/var/lib/janua', folder);
  await writeFile(script, changed);
  await writeFile(join(folder, 'janua.env'), 'APP_NAME="Our door"\nSMTP=x\n');
  await writeFile(join(folder, 'database-url'), 'sqlite:./this.db\n');
  // The operator stands in another folder than the service.
  const cwd = join(folder, 'operator');
  await mkdir(cwd);
  const run = (...args: string[]) => execute('sh', [script, ...args], { cwd, env: { PATH: process.env.PATH } });
  // Without the settings of the service, `./bin/janua` would act on another database.
  await assert.rejects(run('users', 'list'), /there is no such file yet\. Run: janua-admin migrate\n$/);
  const { stdout: found } = await execute('sh', [script, 'doctor'], { cwd, env: { PATH: process.env.PATH } }).catch(
    (error: { readonly stdout: string }) => error,
  );
  assert.match(found, /Run: janua-admin migrate/);
  assert.match(found, /SMTP is not a setting of Janua/);
  assert.doesNotMatch(found, /\.\/bin\/janua(?!\.)/);
  assert.match((await run('migrate')).stdout, /^Done: /);
  assert.equal((await run('backup', 'copy.db')).stdout, 'The database is in copy.db.\n');
  assert.deepEqual(await readdir(cwd), ['copy.db']);
  assert.match((await run('users', 'list')).stdout, /no users/i);
  assert.ok((await readdir(folder)).includes('this.db'));

  // Like systemd, `janua-admin` does not let a shell interpret the values.
  await rm(join(folder, 'database-url'));
  const url = 'postgres://janua:$x@db.example.com/janua?sslmode=verify-full&sslrootcert=/a.pem;b|c';
  const lines = ['# a comment', '', '; another', `  DATABASE_URL=${url} `, 'APP_NAME="A $5 & `door`"', "PORT='5001'"];
  lines.push('MAIL_FROM=no-reply@example.com', 'ENCRYPTION_KEY_FILE=./key');
  await writeFile(join(folder, 'upstreams.json'), '[]');
  await writeFile(join(folder, 'mail-url'), 'smtp://janua:$x@mail.example.com\n');
  await writeFile(join(folder, 'janua.env'), lines.join('\n'));
  const shown = new Map(
    (await run('config', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ setting, value, from }) => [setting, { value, from }]),
  );
  assert.deepEqual(shown.get('APP_NAME'), { value: 'A $5 & `door`', from: 'environment' });
  assert.deepEqual(shown.get('PORT'), { value: 5001, from: 'environment' });
  assert.equal(shown.get('ENCRYPTION_KEY_FILE')?.value, `${folder}/./key`);
  const upstreams = shown.get('UPSTREAMS_FILE')?.value;
  assert.equal(upstreams, join(folder, 'run-janua-upstreams.json'));
  assert.equal(await readFile(upstreams, 'utf8'), '[]');
  assert.deepEqual(shown.get('MAIL_URL'), { value: 'smtp://mail.example.com', from: 'environment' });
  assert.deepEqual(shown.get('DATABASE_URL'), { value: 'postgres://db.example.com/janua', from: 'environment' });

  // The service would refuse both.
  for (const name of ['MAIL_URL', 'MAIL_URL_FILE']) {
    await writeFile(join(folder, 'janua.env'), `PORT=5001\n${name}=x\n`);
    await assert.rejects(
      run('users', 'list'),
      /janua-admin: MAIL_URL is in \S+\/janua\.env and in \S+\/mail-url\. Remove it from one\.\n$/,
    );
  }
  await writeFile(join(folder, 'janua.env'), 'export PORT=5001\n');
  await assert.rejects(
    run('users', 'list'),
    /janua-admin: export PORT in .*: write NAME=VALUE, without spaces or export/,
  );
  await rm(join(folder, 'janua.env'));
  await assert.rejects(run('users', 'list'), /janua\.env cannot be read\. Run this as root, after janua setup\.\n$/);
});
