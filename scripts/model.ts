import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** Runs the model longer than `npm test` does, on all its stores at the same time: `npm run model -- --minutes 60`. */
const folder = new URL('../test/model/', import.meta.url);

const { minutes = '10' } = parseArgs({ options: { minutes: { type: 'string' } } }).values;
if (!(Number(minutes) > 0)) throw new TypeError('--minutes must be a number above 0.');

const files = (await readdir(folder)).filter((name) => name.endsWith('.test.ts'));
const child = spawn(
  process.execPath,
  ['--test', `--test-concurrency=${files.length}`, ...files.map((name) => fileURLToPath(new URL(name, folder)))],
  { stdio: 'inherit', env: { ...process.env, JANUA_MODEL_MINUTES: minutes } },
);
const [code] = await once(child, 'exit');
process.exitCode = code ?? 1;
