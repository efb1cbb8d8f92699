import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { settingSchemas } from '../src/ground/config/settings.ts';
import { createMigratedWorkplace, createWorkplace } from './commands/janua-command.ts';
import { startJanua } from './janua.ts';
import { blocksOf, copyOurs, root } from './page-examples.ts';
import { form } from './web/faces.ts';

const readme = await readFile(`${root}README.md`, 'utf8');

const blocks = (language: string) => blocksOf(readme, language);

for (const page of ['README.md', 'docs/second-factors.md'])
  test(`the curl examples of ${page} print the output that it shows`, async () => {
    const examples = blocksOf(await readFile(root + page, 'utf8'), 'sh').filter((code) => /curl|cat >/.test(code));
    assert.ok(examples.length >= 2);
    const script = examples.join('');
    await using workplace = await createWorkplace();
    const server = await workplace.start(['demo']);
    const run = script.replaceAll('localhost:5000', new URL(server.url).host).replaceAll(/^# .*$/gm, 'echo');
    const { stdout } = await promisify(execFile)('bash', ['-e', '-c', run], { cwd: workplace.folder });
    const printed = stdout.trim().split(/\n+/);
    const expected = [...script.matchAll(/^# (.*)$/gm)].map(([, text]) => text ?? '');
    assert.equal(printed.length, expected.length, stdout);
    for (const [line, text] of expected.entries()) {
      const parts = text.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      assert.match(printed[line] ?? '', new RegExp(`^${parts.join('.+')}$`));
    }
    await server.stop();
  });

test('the protected page of the README follows the flow in both formats', async () => {
  using copy = await copyOurs(['src', 'package.json']);
  const [route] = blocks('ts');
  const [view] = blocks('html');
  await mkdir(`${copy.path}/src/reports`);
  await writeFile(`${copy.path}/src/reports/reports.routes.ts`, route ?? '');
  await writeFile(`${copy.path}/src/reports/reports.eta`, view ?? '');
  const site = `${copy.path}/src/site.ts`;
  const [, line = ''] = /`src\/site\.ts`[^`]*`([^`]+;)`/.exec(readme) ?? [];
  const others = await readFile(site, 'utf8');
  const last = others.lastIndexOf('  (await import(');
  await writeFile(site, `${others.slice(0, last)}${line}\n${others.slice(last)}`);

  const { compose }: typeof import('../src/compose.ts') = await import(`${copy.path}/src/compose.ts`);
  await using janua = await startJanua({ compose });
  const asJson = { 'x-expected-format': 'application/json' };
  const login = form({ username: 'ann@example.com', password: 'correct horse battery' });
  const { cookies } = await janua.app.inject({ method: 'POST', url: '/auth/token', ...login });
  const cookie = { cookie: `session=${cookies[0]?.value}` };

  const page = await janua.app.inject({ url: '/reports', headers: cookie });
  assert.match(page.body, /<title>Janua Reports<\/title>/);
  assert.match(page.body, /<h1>Reports for Ann<\/h1>/);
  assert.match(page.body, /<li>February<\/li>/);
  const program = await janua.app.inject({ url: '/reports', headers: { ...cookie, ...asJson } });
  assert.deepEqual(program.json(), { reader: 'Ann', reports: ['January', 'February'] });
  const visitor = await janua.app.inject('/reports');
  assert.equal(visitor.statusCode, 303);
  assert.equal(visitor.headers.location, '/auth/login?state=2&next=%2Freports');
  const stranger = await janua.app.inject({ url: '/reports', headers: asJson });
  assert.equal(stranger.statusCode, 401);
  assert.equal(stranger.headers['www-authenticate'], 'Bearer realm="janua"');
});

test('the command of the README adds an application, and prints what it shows', async () => {
  await using workplace = await createMigratedWorkplace();
  const example = blocks('sh').find((code) => code.includes('clients add')) ?? '';
  const [command = '', ...shown] = example.trimEnd().split('\n');
  const { stdout } = await workplace.run(command.replace('npx janua ', '').split(' '));
  const expected = shown.map((line) => line.slice(2).replace('…', '[\\w-]+')).join('\n');
  assert.match(stdout, new RegExp(`^${expected}\n$`));
});

test('the README has the same example of the library as docs/library.md', async () => {
  const page = await readFile(`${root}docs/library.md`, 'utf8');
  const lines = (code = '') => code.split('\n').filter((line) => line !== '');
  assert.deepEqual(lines(blocks('js')[0]), lines(/```ts\n(.*?)```/s.exec(page)?.[1]));
});

test('every setting in the README exists', () => {
  const [, table = ''] = readme.split('| setting | default | meaning |');
  const listed = [...table.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) \|/gm)].flatMap(([, names = '']) => names.split(', '));
  assert.ok(listed.length > 5);
  for (const name of listed) assert.ok(name.replaceAll('`', '') in settingSchemas, name);
});

test('the README lists every route, and the guide those of administrators', async () => {
  const guide = await readFile(`${root}docs/administration.md`, 'utf8');
  const listOf = (path: string) => (/\/admin(?!\/me$)/.test(path) ? guide : readme);
  await using janua = await startJanua({
    settings: { SIGN_UP: 'on', UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json' },
  });
  const { paths } = (await janua.app.inject('/openapi.json')).json();
  for (const [path, methods] of Object.entries<object>(paths)) {
    for (const method of Object.keys(methods))
      assert.ok(
        listOf(path).includes(`${method.toUpperCase()} ${path.replace('/api/admin', '/admin')}`),
        `${method} ${path}`,
      );
  }
});

test('the README counts the checks', async () => {
  const rows = (await readFile(`${root}security/checks.tsv`, 'utf8')).trimEnd().split('\n').length - 1;
  assert.ok(readme.includes(`[${rows} checks and OWASP ASVS]`));
});

test('every file that the README links to exists', async () => {
  for (const [, path] of readme.matchAll(/\]\(([\w./-]+)\)/g)) {
    if (path !== 'docs/decisions') await readFile(`${root}${path}`);
  }
});
