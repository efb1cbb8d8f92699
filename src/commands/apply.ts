import { type Composition, compose } from '../compose.ts';
import { loadSettings } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { Log } from '../ground/faults/log.ts';
import { printable } from '../ground/text/printable.ts';
import { inOneTransaction, operator } from './administer.ts';
import { describeChange, summarize } from './apply/changes.ts';
import { makeSo } from './apply/make-so.ts';
import type { Applied, ApplyOptions } from './apply/making.ts';
import { type AppliedFile, readAppliedFile } from './apply/read-file.ts';

interface CommandOptions {
  readonly prune?: boolean;
  readonly dryRun?: boolean;
}

export async function applyFile(path: string, { prune = false, dryRun = false }: CommandOptions): Promise<void> {
  const file = readAppliedFile(path);
  const options = {
    prunes: prune || file.prune,
    showsSecrets: true,
    leavesOut: false,
    skipsFormer: false,
    isRehearsal: dryRun,
  };
  const applied = await apply(loadSettings(), file, options);
  if (applied !== undefined) process.stdout.write(`${reportOf(applied, dryRun).join('\n')}\n`);
}

/**
 * Applies the file of `APPLY_FILE` before a server listens. An earlier version of the file is skipped: a server that still has it, and
 * restarts during an upgrade, would undo the new version.
 * @returns a function that logs what the operator needs to know
 * @throws {Misconfiguration} for an invalid file; {ChangeRefused} if an object cannot be made so
 */
export async function applyAtStart(settings: Settings, path: string): Promise<(log: Log) => void> {
  const file = readAppliedFile(path);
  const options = { prunes: file.prune, showsSecrets: false, leavesOut: true, skipsFormer: true, isRehearsal: false };
  const applied = await apply(settings, file, options);
  return (log) => tell(log, file, applied);
}

function tell(log: Log, { name }: AppliedFile, applied: Applied | undefined): void {
  const event = { event: 'file_applied', file: name };
  if (applied === undefined) {
    const text = 'APPLY_FILE is an earlier version, and was not applied. To go back to it, run: janua apply FILE';
    log.warn({ ...event, event: 'file_not_applied' }, text);
    return;
  }
  log.info(event, `APPLY_FILE: ${summarize(applied.changes)}`);
  for (const line of applied.kept) log.warn(event, `kept, although APPLY_FILE has it no longer: ${line}`);
  for (const line of applied.leftOut) log.warn(event, `not applied: ${line}`);
  for (const id of applied.withoutSecret)
    log.warn(
      event,
      `the client ${id} has no secret yet. Name a secret_file, or run: janua clients rotate-secret ${id}`,
    );
  for (const line of linesOfLinks(applied)) log.warn({ ...event, event: 'administrator_added' }, line);
}

interface RunOptions extends ApplyOptions {
  readonly isRehearsal: boolean;
}

async function apply(settings: Settings, file: AppliedFile, options: RunOptions): Promise<Applied | undefined> {
  // The audit names the file by the command of the caller.
  const caller = { route: `janua apply ${file.name}`, operator: operator() };
  const composition = await compose({ ...settings, LOG_LEVEL: 'silent' }, { takesLogins: false, caller });
  try {
    const applied = await inOneTransaction(composition, options.isRehearsal, (services) =>
      makeSo(services, file, options),
    );
    if (!options.isRehearsal) await endAllOf(composition, applied?.removedClients ?? []);
    return applied;
  } finally {
    await composition.close();
  }
}

/**
 * Deletes the grants of removed clients. There can be very many, so they are deleted apart from the transaction. They are void without the
 * client, so a failure must not hide that the file was applied.
 */
async function endAllOf(composition: Composition, clientIds: readonly string[]): Promise<void> {
  if (clientIds.length === 0) return;
  try {
    const { clientAdministration } = await composition.prepare();
    for (const id of clientIds) await clientAdministration.endAllOf(id);
  } catch {
    process.stderr.write('The clients are removed. Some of their grants are still stored, and are void.\n');
  }
}

const linesOfLinks = ({ links }: Applied): string[] =>
  links.map(
    ({ username, link }) => `${username} is an administrator, and chooses a password by this link, once: ${link}`,
  );

function reportOf(applied: Applied, isRehearsal: boolean): string[] {
  const { changes, kept, secrets } = applied;
  const keptLines = kept.map((line) => `= ${printable(line)}`);
  if (changes.length === 0) return [...keptLines, 'No changes.'];
  const lines = [...changes.flatMap(describeChange), ...keptLines];
  if (isRehearsal) return [...lines, `To do: ${summarize(changes)}. Nothing was changed.`];
  return [
    ...lines,
    `Done: ${summarize(changes)}.`,
    ...secrets.map(({ clientId, secret }) => `client_secret of ${clientId}: ${secret}`),
    ...(secrets.length > 0 ? ['The secrets are shown only now.'] : []),
    ...linesOfLinks(applied),
  ];
}
