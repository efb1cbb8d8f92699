// Runs commands in one process, one after another. Each has its own arguments, environment, folder, input and output.
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

/** Milliseconds after which a hanging command ends this process. */
const patience = 60_000;

const exit = process.exit.bind(process);
const channel = new Socket({ fd: 3 });

const texts = { stdout: '', stderr: '' };
for (const name of ['stdout', 'stderr'] as const) {
  const write: ConstructorParameters<typeof Writable>[0] = {
    write(chunk, _encoding, done) {
      texts[name] += chunk;
      done();
    },
  };
  // Each command adds a listener for errors.
  Object.defineProperty(process, name, { value: new Writable(write).setMaxListeners(0) });
}
process.setMaxListeners(0);
// A command that no longer waits for a store ends its process this way.
process.exit = (() => {}) as typeof process.exit;

let count = 0;
for await (const line of createInterface({ input: channel })) {
  const { program, folder, args, env, input } = JSON.parse(line);
  process.chdir(folder);
  process.env = env;
  process.argv = [process.execPath, program, ...args];
  Object.defineProperty(process, 'stdin', { value: Readable.from([Buffer.from(input)]), configurable: true });
  const timer = setTimeout(() => exit(70), patience);
  // The query makes Node run the file again.
  count += 1;
  await import(`${pathToFileURL(program)}?${count}`);
  clearTimeout(timer);
  const finished = JSON.stringify({ code: process.exitCode ?? 0, ...texts });
  // The other side would take these for the end of the line.
  const escaped = finished.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  channel.write(`${escaped}\n`);
  process.exitCode = undefined;
  Object.assign(texts, { stdout: '', stderr: '' });
  process.chdir('/');
}
exit();
