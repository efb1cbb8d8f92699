import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { createMigratedWorkplace, createWorkplace } from './commands/janua-command.ts';
import { blocksOf, root } from './page-examples.ts';

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

test('the command of the README adds an application, and prints what it shows', async () => {
  await using workplace = await createMigratedWorkplace();
  const example = blocks('sh').find((code) => code.includes('clients add')) ?? '';
  const [command = '', ...shown] = example.trimEnd().split('\n');
  const { stdout } = await workplace.run(command.replace('./bin/janua ', '').split(' '));
  const expected = shown.map((line) => line.slice(2).replace('…', '[\\w-]+')).join('\n');
  assert.match(stdout, new RegExp(`^${expected}\n$`));
});

test('the commands for production make an administrator', async () => {
  await using workplace = await createWorkplace();
  const example = blocks('sh').find((code) => code.includes('janua migrate')) ?? '';
  const commands = [...example.matchAll(/^(?:echo '(.*)' \| )?\.\/bin\/janua (.*)$/gm)];
  assert.equal(commands.length, 2);
  for (const [, input = '', command = ''] of commands)
    assert.equal((await workplace.run(command.split(' '), { input })).code, 0, command);
  assert.match((await workplace.run(['doctor'])).stdout, /^ok +administrators/m);
});

test('the README has the same example of the library as docs/library.md', async () => {
  const page = await readFile(`${root}docs/library.md`, 'utf8');
  const lines = (code = '') => code.split('\n').filter((line) => line !== '');
  assert.deepEqual(lines(blocks('js')[0]), lines(/```ts\n(.*?)```/s.exec(page)?.[1]));
});
