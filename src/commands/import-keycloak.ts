import { basename, resolve } from 'node:path';
import { type Composition, compose, type Services } from '../compose.ts';
import { InvalidFields } from '../core/access/refusal.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { type ImportCounts, importUsers, type NumberedUser, noRows } from '../core/users/import-batches.ts';
import { labelOf } from '../core/users/imports.ts';
import { loadSettings } from '../ground/config/load.ts';
import { readUpstreams } from '../ground/config/upstreams-file.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { inOneTransaction, operator } from './administer.ts';
import { explainFault } from './describe-faults.ts';
import { createTerminal, describeWaiting, summarize, toGoOn, watchSignals } from './import-terminal.ts';
import { type ExportFiles, openExport } from './keycloak/export-files.ts';
import type { WantedClient } from './keycloak/read-client.ts';
import { type Realm, readRealm } from './keycloak/read-realm.ts';
import { isServiceAccount, readUser, type UserContext } from './keycloak/read-user.ts';
import { parseObject, textOf } from './keycloak/values.ts';
import { requireOwnUsers } from './users.ts';

interface Flags {
  readonly dryRun?: boolean;
  readonly invite?: boolean;
  readonly redirectUri?: readonly string[];
}

/** Bytes of the longest user. */
const longestUser = 256_000;

/** Most kinds of things that are counted, because a file may have any number of attributes. */
const mostCounted = 200;

type Report = ReturnType<typeof createReport>;

/** Prints what does not come: a line for each object of the file, and counts of what many users have. */
function createReport(files: ExportFiles) {
  const terminal = createTerminal();
  const counted = new Map<string, number>();
  return {
    terminal,
    tell: (line: number, text: string) => terminal.print(line === 0 ? text : `line ${files.placeOf(line)}: ${text}`),
    count(what: string): void {
      if (counted.has(what) || counted.size < mostCounted) counted.set(what, (counted.get(what) ?? 0) + 1);
    },
    tellCounts(): void {
      for (const [what, users] of counted) terminal.print(`not brought: ${what} (users who have it: ${users})`);
    },
  };
}

/**
 * Imports a realm of Keycloak: first its groups and clients, all or none, then its users in batches. What is there already stays as it is,
 * so that the same command goes on after an interruption.
 */
export async function importKeycloak(path: string, flags: Flags): Promise<void> {
  const { dryRun = false, redirectUri = [] } = flags;
  const settings = loadSettings();
  const files = openExport(path);
  const report = createReport(files);
  const realm = await readRealm(files, { redirectUris: readRedirects(redirectUri), tell: report.tell });
  const caller = { route: 'janua import keycloak', operator: operator() };
  const composition = await compose({ ...settings, LOG_LEVEL: 'silent' }, { takesLogins: false, caller });
  try {
    const made = await inOneTransaction(composition, dryRun, (services) => makeRealm(services, realm));
    for (const { line, text } of made.told) report.tell(line, text);
    const context = {
      groups: made.groups,
      brokers: realm.brokers,
      upstreams: readUpstreams(settings.UPSTREAMS_FILE),
      operator: caller.operator,
    };
    const { users, waiting, isStopped } = await addUsers(composition, { path, flags, caller, files, report, context });
    report.tellCounts();
    const { refusedClients } = realm;
    const clients = { ...made.clients };
    clients.rows += refusedClients;
    clients.refused += refusedClients;
    const counts = { Groups: made.groupCounts, Clients: clients, Users: users };
    const lines = Object.entries(counts).map(([what, count]) => `${what}. ${summarize(count, dryRun)}`);
    const summary = `${isStopped ? toGoOn : ''}${[...lines, ...waiting].join('\n')}`;
    if (isStopped || users.refused + clients.refused > 0) throw new ChangeRefused(summary);
    process.stdout.write(`${summary}\n`);
  } finally {
    report.terminal.clear();
    await composition.close();
  }
}

/** Reads redirect addresses that the operator names: CLIENT=URL. @throws {Misconfiguration} */
function readRedirects(entries: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const addresses = new Map<string, readonly string[]>();
  for (const entry of entries) {
    const [, id, uri] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    if (id === undefined || uri === undefined) throw new Misconfiguration('--redirect-uri must be CLIENT=URL.');
    addresses.set(id, [...(addresses.get(id) ?? []), uri]);
  }
  return addresses;
}

interface Made {
  /** The names of the groups by their sources. Undefined for those that users do not join. */
  readonly groups: Map<string, string | undefined>;
  readonly groupCounts: ImportCounts;
  readonly clients: ImportCounts;
  readonly told: { readonly line: number; readonly text: string }[];
}

/** Adds the groups and clients. The transaction may run several times, so nothing is printed here. */
async function makeRealm(services: Services, realm: Realm): Promise<Made> {
  requireOwnUsers(services.importUsers);
  const made: Made = { groups: new Map(), groupCounts: noRows(), clients: noRows(), told: [] };
  await makeGroups(services, realm, made);
  for (const { client, line } of realm.clients) {
    made.clients.rows += 1;
    if ((await services.clients.find(client.id)) !== undefined) continue;
    const tell = (text: string) => made.told.push({ line, text: `client ${client.id}: ${text}` });
    try {
      await addClient(services, client, tell);
      made.clients.added += 1;
    } catch (error) {
      // Other refusals, such as the limit of all clients, come after a row was inserted. They undo everything.
      if (!(error instanceof ChangeRefused && error.code === 'change-refused')) throw error;
      made.clients.refused += 1;
      tell(`not added. ${error.message}`);
    }
  }
  return made;
}

/**
 * Adds the groups that there are not. The users join a group of the same name, unless it grants scopes: an operator has given it these, and
 * not to the users of a file.
 */
async function makeGroups({ groups, administration }: Services, realm: Realm, made: Made): Promise<void> {
  const found = new Map((await groups.findAll()).map((group) => [group.name, group]));
  for (const { name, description, source } of realm.groups) {
    made.groupCounts.rows += 1;
    const scopes = found.get(name)?.scopes ?? [];
    made.groups.set(source, scopes.length === 0 ? name : undefined);
    if (scopes.length > 0) {
      const text = `${source}: nobody joins the group ${name}, because it grants ${scopes.join(', ')}. Add its users by hand.`;
      made.told.push({ line: 0, text });
      made.groupCounts.refused += 1;
    } else if (!found.has(name)) {
      await administration.addGroup({ name, description, scopes: [] });
      made.groupCounts.added += 1;
    }
  }
}

/** The settings that a client does without, if Keycloak has values that are refused here. */
const withoutField: Readonly<Record<string, (client: WantedClient) => Partial<WantedClient>>> = {
  name: ({ id }) => ({ name: id }),
  post_logout_redirect_uris: () => ({ postLogoutRedirectUris: [] }),
  backchannel_logout_uri: () => ({ backchannelLogoutUri: undefined }),
  client_uri: () => ({ clientUri: undefined }),
};

/** Adds a client, if need be without settings that are refused. @throws {ChangeRefused} with the faults of the others */
async function addClient(
  { clientAdministration }: Services,
  client: WantedClient,
  tell: (text: string) => void,
): Promise<void> {
  try {
    await clientAdministration.addClient(client);
  } catch (error) {
    if (!(error instanceof InvalidFields)) throw error;
    const { faults } = error;
    const replacements = faults.map(({ field }) => withoutField[field]?.(client));
    if (replacements.includes(undefined)) throw new ChangeRefused(faults.map(explainFault).join(' '));
    for (const fault of faults) tell(`not brought. ${explainFault(fault)}`);
    await clientAdministration.addClient(Object.assign({}, client, ...replacements));
  }
}

interface UserImport {
  readonly path: string;
  readonly flags: Flags;
  readonly caller: { readonly route: string; readonly operator: string };
  readonly files: ExportFiles;
  readonly report: Report;
  readonly context: Omit<UserContext, 'tell' | 'count'>;
}

async function addUsers(composition: Composition, { path, flags, caller, files, report, context }: UserImport) {
  const { dryRun: isRehearsal = false, invite = false } = flags;
  const services = await composition.prepare();
  const add = requireOwnUsers(services.importUsers);
  const { begin, countWaiting } = requireOwnUsers(services.imports);
  const made = begin(labelOf(basename(resolve(path))), invite);
  const users = noRows();
  const isStopped = watchSignals();
  await importUsers(
    listUsers(files, report, context),
    {
      addUsers: (batch, refuse) => add(batch, { import: made, actor: { caller }, isRehearsal }, refuse),
      refuse: (line, { message }) => report.tell(line, `user not added. ${message}`),
      onBatch: (rows) => report.terminal.showProgress(rows, files.progress()),
      placeOf: files.placeOf,
      isStopped,
    },
    users,
  );
  const waiting = invite && !isRehearsal ? [describeWaiting(await countWaiting(made.id))] : [];
  return { users, waiting, isStopped: isStopped() };
}

async function* listUsers(
  files: ExportFiles,
  { tell, count }: Report,
  context: UserImport['context'],
): AsyncGenerator<NumberedUser> {
  for await (const { line, text } of files.read(new Map([['users', longestUser]]))) {
    // The account of a client is no user, and not even counted.
    if (text !== undefined && isServiceAccount(text)) continue;
    yield {
      line,
      read() {
        const user = parseObject(text, 'The user');
        const name = textOf(user, 'username');
        return readUser(user, { ...context, count, tell: (reason) => tell(line, `user ${name}: ${reason}`) });
      },
    };
  }
}
