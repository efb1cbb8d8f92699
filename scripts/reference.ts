import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { schema } from '../src/commands/apply/schema.ts';
import { describeOption } from '../src/commands/command.ts';
import { createProgram } from '../src/commands/program.ts';
import type { Settings } from '../src/ground/config/settings.ts';
import { type DescribedOperation, needsCredentials, readDocument } from '../test/fuzz/document.ts';
import { startJanua, type TestOptions } from '../test/janua.ts';
import { makeConfigurationPage } from './configuration.ts';
import { makeEventsPage } from './events.ts';
import { renewLimits } from './limits.ts';
import { asCode, asTable, inCell } from './markdown.ts';
import { makeMetricsPage } from './metrics.ts';
import { makeScopesPage } from './scopes.ts';

/** `npm run reference` writes the pages that code can print. A test compares them. */

const made = 'Made by `npm run reference`: do not edit.';

function* leavesOf(command: Command, path = ''): Generator<[path: string, command: Command]> {
  const name = `${path} ${command.name()}`.trimStart();
  if (command.commands.length === 0) yield [name, command];
  for (const child of command.commands) if (child.name() !== 'help') yield* leavesOf(child, name);
}

/** Every command, from the program that reads them. */
function makeCommandsPage(): string {
  const rows = [...leavesOf(createProgram())].map(([name, command]) => {
    const typed = command.registeredArguments.map((argument) =>
      argument.required ? ` <${argument.name()}>` : ` [${argument.name()}]`,
    );
    const options = command.options
      .filter(({ hidden }) => !hidden)
      .map((option) => `${asCode(option.flags)} ${inCell(describeOption(option))}`);
    return [asCode(name + typed.join('')), inCell(command.description()), options.join('<br>')];
  });
  return `# Commands

${made} \`janua help\` shows the same.

\`janua\` stands for \`./bin/janua\` in a checkout, and for \`janua-admin\` [in production](../deployment.md). Where
[the package](../library.md) is installed in an application's folder, it is
\`./node_modules/.bin/janua\`. All commands work while a server runs, and read the same settings.

${asTable(['command', 'does', 'options'], rows)}
`;
}

const whole: Partial<Settings> = {
  SIGN_UP: 'on',
  HANDLES: 'users',
  UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
};

/** What leaves routes out, by the words of the page. */
const variants: Readonly<Record<string, TestOptions>> = {
  mail: { settings: whole, overrides: { demoMailbox: false } },
  "Janua's table": { settings: whole, stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } },
  '`SIGN_UP=on`': { settings: { ...whole, SIGN_UP: 'off' } },
  '`HANDLES=users`': { settings: { ...whole, HANDLES: 'administrators' } },
  'second factors': { settings: { ...whole, SECOND_FACTOR: 'off' } },
  '`UPSTREAMS_FILE`': { settings: { SIGN_UP: 'on', HANDLES: 'users' } },
  'a host name': { settings: { ...whole, PUBLIC_URL: 'http://127.0.0.1:5000' } },
};

async function operationsOf(options: TestOptions) {
  await using janua = await startJanua(options);
  const { document } = await readDocument(janua.app);
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ key: `${method.toUpperCase()} ${path}`, operation })),
  );
}

type Operations = Awaited<ReturnType<typeof operationsOf>>;

const scopesOf = ({ security = [] }: DescribedOperation): string[] => [
  ...new Set(security.flatMap((scheme) => Object.values(scheme)).flat()),
];

/** Who may call it, by the document. */
function callerOf(operation: DescribedOperation): string {
  if (!needsCredentials(operation)) return 'anyone';
  return scopesOf(operation).map(asCode).join(', ') || 'signed in';
}

/** Every route, from the document of the API, and what has to be there for it. */
async function makeRoutesPage(all: Operations): Promise<string> {
  const present = new Map<string, Set<string>>();
  for (const [name, options] of Object.entries(variants))
    present.set(name, new Set((await operationsOf(options)).map(({ key }) => key)));
  // A page stands beside its address under `/api`, which has the same words.
  const rows = Map.groupBy(all, ({ key, operation }) => {
    const needs = [...present].flatMap(([name, keys]) => (keys.has(key) ? [] : [name]));
    return [key.split(' ')[0], callerOf(operation), needs.join(', '), inCell(operation.summary)].join(' | ');
  });
  return `# Routes

${made} A running server has the same, with every field and answer, at \`/docs\` and \`/openapi.json\`.

- **JSON**: send \`x-expected-format: application/json\`, or use the address under \`/api\`.
- **Without a session**, a browser is redirected to the login page and back. A program gets 401.
- **Errors** in JSON have a text in \`detail\` and an id in \`request_id\`, for \`janua explain\`. Where OAuth
  has a code for an error, \`error\` has it. A program that accepts \`application/problem+json\` gets errors by that name, but not
  from token endpoints. \`Accept\` never chooses between page and JSON.
- **Needs**: without them, Janua leaves the route out. Mail is there with \`MAIL_URL\`, and in the demo; Janua's table without
  \`USERS_TABLE\`; second factors unless \`SECOND_FACTOR=off\`; a host name if \`PUBLIC_URL\` names no IP address: passkeys belong to a name.
- **For** a [scope](scopes.md): for members of a group that grants it.

${asTable(
  ['route', 'for', 'needs', 'does'],
  [...rows].map(([words, alike]) => [alike.map(({ key }) => asCode(key)).join('<br>'), ...words.split(' | ').slice(1)]),
)}
`;
}

export const docs = new URL('../docs/', import.meta.url);

/** The pages by their path in `docs/`. */
export async function makePages(): Promise<Readonly<Record<string, string>>> {
  const operations = await operationsOf({ settings: whole });
  const pages = operations.filter(({ key }) => !key.includes(' /api/'));
  return {
    'configuration.md': makeConfigurationPage(),
    'reference/apply.schema.json': `${JSON.stringify(schema, undefined, 2)}\n`,
    'reference/commands.md': makeCommandsPage(),
    'reference/events.md': await makeEventsPage(made),
    'reference/metrics.md': makeMetricsPage(made),
    'reference/routes.md': await makeRoutesPage(operations),
    'reference/scopes.md': makeScopesPage(made, new Map(pages.map(({ key, operation }) => [key, scopesOf(operation)]))),
    'security/threat-model.md': renewLimits(await readFile(new URL('security/threat-model.md', docs), 'utf8')),
  };
}

if (import.meta.main) {
  await mkdir(new URL('reference/', docs), { recursive: true });
  for (const [path, text] of Object.entries(await makePages())) await writeFile(new URL(path, docs), text);
}
