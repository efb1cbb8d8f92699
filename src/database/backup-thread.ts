// Copies a SQLite file and checks the copy. Fails with SQLite's error.
import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';

/** How long the copy waits for other processes at its start. Then it reads one snapshot of the file and blocks no process. */
const waitMilliseconds = 5000;

const { path, part } = workerData as { path: string; part: string };

const source = new DatabaseSync(path, { readOnly: true, timeout: waitMilliseconds });
source.prepare('vacuum into ?').run(part);
source.close();

const made = new DatabaseSync(part, { readOnly: true });
const result = made.prepare('pragma integrity_check').get();
if (result?.integrity_check !== 'ok') throw new Error('the copy is damaged');
made.close();
