import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createMigratedWorkplace } from './janua-command.ts';

test('`janua reload` replaces only the workers of the named server', {
  skip: process.platform !== 'linux' && 'only Linux tells which processes run',
}, async () => {
  await using workplace = await createMigratedWorkplace();
  const [many, one] = [
    await workplace.start(['serve'], { WORKERS: '2' }),
    await workplace.start(['serve'], { WORKERS: '1' }),
  ];
  const reload = async (...args: string[]) => {
    const { code, stdout, stderr } = await workplace.run(['reload', ...args]);
    return { code, said: stdout + stderr };
  };

  const which = await reload();
  assert.equal(which.code, 2);
  for (const { process } of [many, one]) assert.match(which.said, new RegExp(`\\b${process.pid}\\b`));
  const other = await reload(String(process.pid));
  assert.equal(other.code, 2);
  assert.match(other.said, /is no server of this installation/);
  const single = await reload(String(one.process.pid));
  assert.equal(single.code, 2);
  assert.match(single.said, /one process, which cannot reload/);

  const lines = createInterface({ input: many.process.stdout });
  const reloaded = new Promise<void>((resolve) => {
    lines.on('line', (line) => line.includes('"event":"reloaded"') && resolve());
  });
  const done = await reload(String(many.process.pid));
  assert.deepEqual(done, {
    code: 0,
    said: `Process ${many.process.pid} is reloading. Its log says \`reloaded\` when it is done.\n`,
  });
  await Promise.race([reloaded, once(many.process, 'exit').then(() => assert.fail('the server has ended'))]);
  for (const server of [many, one]) assert.equal(await server.stop(), 0);
});
