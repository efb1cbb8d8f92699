import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { limitFiles } from '../../scripts/file-limit.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { running } from '../servers/process-tree.ts';

// The server has the output of the test file. Until it ends, the runner waits for that output.
const begin = `
  import { spawn } from 'node:child_process';
  import { after, test } from 'node:test';
  const server = spawn('sleep', ['1000'], { stdio: 'inherit' });
  process.stdout.write('server=' + server.pid + '.\\n');
`;
const goOn = 'setInterval(() => {}, 1000)';
const block = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';

/** Milliseconds within which a file ends that obeys SIGTERM, even on a busy machine. */
const patience = 60_000;

for (const [name, code, grace, signal] of [
  ['goes on after its tests', `${begin} test('passes', () => { ${goOn}; });`, patience, 'SIGTERM'],
  ['hangs in a hook', `${begin} after(() => new Promise(() => ${goOn}));`, patience, 'SIGTERM'],
  ['is blocked', `process.on('SIGTERM', () => {}); ${begin} test('blocks', () => { ${block}; });`, 200, 'SIGKILL'],
] as const)
  test(`a test file that ${name} fails, and its processes are ended`, async () => {
    const folder = createTemporaryFolder('file-limit');
    const file = join(folder.path, 'hanging.test.mjs');
    await writeFile(file, code);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const runner = spawn(process.execPath, ['--test', '--test-reporter=tap', file], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(runner, 'close');
    let output = '';
    runner.stdout.setEncoding('utf8').on('data', (part) => {
      output += part;
    });
    while (!/server=\d+\./.test(output)) await once(runner.stdout, 'data');
    const printed: string[] = [];
    limitFiles(runner, { limit: 200, grace, interval: 20, print: (text) => printed.push(text) });
    assert.deepEqual(await ended, [1, null]);
    assert.deepEqual(printed, ['  A test file takes longer than 0.2 s, and is ended.\n']);
    assert.match(output, new RegExp(`^not ok .*hanging\\.test\\.mjs[^]*signal: '${signal}'`, 'm'));
    const [, server] = /server=(\d+)\./.exec(output) ?? [];
    assert.deepEqual(running([Number(server)]), []);
    folder.remove();
  });
