import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { root } from '../page-examples.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';

const source = join(root, 'src');
const templates = globSync('**/*.eta', { cwd: source }).map((file) => ({
  name: file.replace(/\.eta$/, ''),
  text: readFileSync(join(source, file), 'utf8'),
}));

const tag = /<%([-_~=]?)([\s\S]*?)[-_]?%>/g;
const helpers = 'addressOf|errorOf|fieldOf|interpolate|messageIn|moreOf|passkeysOf|plural|secretOf|timeOf|upstreamsOf';
const calls = new RegExp(`^(?:if|for|include|layout|it\\.(?:${helpers}))$`);

/** What a template leaves to its model. It asks only whether a part of the model is there, and repeats one for each entry. */
const decisions: readonly (readonly [decision: string, isMade: (code: string) => boolean])[] = [
  ['comparison', (code) => /[=!]==?|[<>]/.test(code)],
  ['choice or fallback', (code) => code.includes('?')],
  ['condition of several', (code) => /&&|\|\|/.test(code)],
  ['arithmetic or joined text', (code) => /[-+*/%`]/.test(code)],
  ['function of its own', (code) => code.includes('=>') || /\bfunction\b/.test(code)],
  ['call', (code) => [...code.matchAll(/([\w.]+) ?\(/g)].some(([, name = '']) => !calls.test(name))],
];

describe('a template makes no', () => {
  for (const [decision, isMade] of decisions)
    test(decision, () => {
      const made = templates.flatMap(({ name, text }) => {
        const codes = [...text.matchAll(tag)].map(([, , code = '']) => code.trim());
        return codes.filter((code) => isMade(code.replaceAll(/'[^']*'/g, "''"))).map((code) => `${name}: ${code}`);
      });
      assert.deepEqual(made, []);
    });
});

/** The code of a template as TypeScript, on the same lines. What it shows must be a text or a number. */
function toTypeScript(template: string): string {
  let [code, end] = ['', 0];
  for (const { index, 0: whole, 1: kind, 2: inner = '' } of template.matchAll(tag)) {
    code += template.slice(end, index).replaceAll(/[^\n]/g, '');
    code += kind ? `show(${inner});` : `${inner};`;
    end = index + whole.length;
  }
  return code;
}

/** Mails have no page around them. */
const modelOf = (name: string) => (name.startsWith('core/mail/') ? 'MailModel' : `ModelOf<'${name}'>`);

test('every template uses only members that its model has', async (t) => {
  const parent = join(root, '.tmp');
  mkdirSync(parent, { recursive: true });
  const folder = createTemporaryFolder('templates', parent);
  t.after(() => folder.remove());
  const head = `import type { MailModel } from '${source}/core/mail/render.ts';
import type { ModelOf, Page } from '${source}/web/page.ts';
import type { Pages, Partials } from '${source}/web/view.ts';
type Name = keyof Pages | keyof Partials;
declare global {
  function show(shown: string | number): void;
  function include<N extends Name>(name: \`/\${N}\`, model: ModelOf<N>): string;
  function layout<N extends keyof Partials>(name: \`/\${N}\`, head: Omit<Partials[N], keyof Page | 'body'>): void;
}
export type { MailModel, ModelOf };
`;
  writeFileSync(join(folder.path, 'head.ts'), head);
  for (const { name, text } of templates) {
    const file = join(folder.path, `${name}.eta.ts`);
    mkdirSync(dirname(file), { recursive: true });
    const types = `import type { MailModel, ModelOf } from '${folder.path}/head.ts'; export type { MailModel, ModelOf };`;
    writeFileSync(file, `${types} export function template(it: ${modelOf(name)}) { ${toTypeScript(text)} }`);
  }
  const listed = templates.filter(({ name }) => !name.startsWith('core/mail/')).map(({ name }) => `'${name}': true`);
  writeFileSync(
    join(folder.path, 'names.ts'),
    `import type { Pages, Partials } from '${source}/web/view.ts';
export const names: Readonly<Record<keyof Pages | keyof Partials, true>> = { ${listed.join(', ')} };`,
  );
  const compilerOptions = { noUnusedParameters: false };
  writeFileSync(
    join(folder.path, 'tsconfig.json'),
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: ['.', source] }),
  );
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(process.execPath, [compiler, '--pretty', 'false', '-p', folder.path], (_error, out, err) =>
    resolve(out + err),
  );
  assert.equal(await promise, '');
});
