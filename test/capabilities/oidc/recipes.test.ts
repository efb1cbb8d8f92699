import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createMigratedWorkplace } from '../../commands/janua-command.ts';
import { blocksOf, root } from '../../page-examples.ts';

const folder = `${root}docs/openid/`;
const pages = readdirSync(folder).map((name) => ({ name, text: readFileSync(folder + name, 'utf8') }));

/** The commands for clients and resources in a page, as their arguments. */
function commandsIn(text: string): string[][] {
  const lines = blocksOf(text, 'sh').flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n'));
  const ours = lines.filter((line) => /^janua (?:clients|resources) /.test(line));
  return ours.map((line) => (line.match(/'[^']*'|\S+/g) ?? []).slice(1).map((word) => word.replaceAll("'", '')));
}

/** Runs the commands one after the other in one process, because a start takes longer than a command. */
const runAll = `
  const [cli, commands] = process.argv.slice(2);
  for (const [number, args] of JSON.parse(commands).entries()) {
    process.argv = [process.execPath, cli, ...args];
    await import(cli + '?' + number);
    if (process.exitCode) console.error(args.join(' '));
    if (process.exitCode) break;
  }`;

describe('the recipes for applications', () => {
  test('have commands that Janua takes', async () => {
    await using workplace = await createMigratedWorkplace();
    const commands = pages.flatMap(({ text }) => commandsIn(text));
    assert.ok(commands.length > 20);
    const groups = [...new Set(commands.flatMap((args) => args.filter((_, at) => args[at - 1] === '--group')))];
    // The README adds it in a list of steps, whose commands are not among these.
    const wiki = ['clients', 'add', '--name', 'Wiki', '--redirect-uri', 'https://wiki.example.com/callback'];
    const all = [...groups.map((name) => ['groups', 'add', name]), wiki, ...commands];
    const cli = new URL('../../../src/cli.ts', import.meta.url).href;
    const program = join(workplace.folder, 'run-all.mjs');
    await writeFile(program, runAll);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'ES256' }];
    for (const name of ['cluster.json', 'public-keys.json'])
      await writeFile(join(workplace.folder, name), JSON.stringify({ keys }));
    const run = promisify(execFile)(process.execPath, [program, cli, JSON.stringify(all)], { cwd: workplace.folder });
    const refused = await run.then(
      () => '',
      ({ stderr }) => stderr,
    );
    assert.equal(refused, '');
  });

  for (const { name, text } of pages) {
    test(`${name} says when it was run, or that it was not, and the list names it`, {
      // These are no recipes.
      skip: ['README.md', 'claims.md', 'keys.md'].includes(name),
    }, () => {
      assert.match(text, /\*\*(?:not tested|Tested) here\*\*|\bran with [^;]*?on \d+ (?:November|December) 2026/i);
      assert.ok(readFileSync(`${folder}README.md`, 'utf8').includes(`](${name})`));
    });

    test(`${name} leads only to pages that exist`, () => {
      for (const [, path = ''] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
        assert.ok(existsSync(folder + path), path);
    });
  }
});
