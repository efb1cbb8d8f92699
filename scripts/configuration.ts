import { writeFile } from 'node:fs/promises';
import { type SettingSchema, settingGroups, settingsSchema } from '../src/config/settings.ts';

/** `npm run configuration` writes this page from `src/config/settings.ts`. */
export const configurationPage = new URL('../docs/configuration.md', import.meta.url);

const intro = `# Configuration

Made by \`npm run configuration\` from [settings.ts](../src/config/settings.ts): do not edit.

Settings come from the environment; one that is empty counts as not set. Whatever is wrong is said at start, all at once, and never with the value.
\`npx janua config\` shows them as \`janua serve\` takes them, where each is from, and no password; \`npx janua doctor\` tries them out.`;

/** Escapes text for a table cell. */
const inCell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const asCode = (text: unknown) => `\`${inCell(String(text))}\``;

function kindOf({ type, enum: values, minimum, maximum, minLength, maxLength }: SettingSchema): string {
  if (values !== undefined) return values.map(asCode).join(', ');
  if (type === 'integer') return `whole number, ${minimum} to ${maximum}`;
  if (type === 'array') return 'texts, separated by commas';
  if (maxLength !== undefined) return `text, ${minLength ?? 0} to ${maxLength} characters`;
  return 'text';
}

function rowOf(name: string, schema: SettingSchema): string {
  const { default: usual, description, examples, format } = schema;
  const isGiven = usual !== undefined && !(Array.isArray(usual) && usual.length === 0);
  const file = format === 'password' ? ` May be in a file, which ${asCode(`${name}_FILE`)} names.` : '';
  const cells = [
    asCode(name),
    kindOf(schema),
    isGiven ? asCode(usual) : '',
    inCell(description) + file,
    examples.map((example) => asCode(`${name}=${example}`)).join('<br>'),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Gives the text that the page should have. */
export function makeConfigurationPage(): string {
  const lines = [intro];
  for (const [name, schema] of Object.entries<SettingSchema>(settingsSchema.properties)) {
    const group = (settingGroups as Readonly<Record<string, string>>)[name];
    if (group !== undefined)
      lines.push(
        '',
        `## ${group}`,
        '',
        '| setting | is | default | meaning | example |',
        '| --- | --- | --- | --- | --- |',
      );
    lines.push(rowOf(name, schema));
  }
  return `${lines.join('\n')}\n`;
}

if (import.meta.main) await writeFile(configurationPage, makeConfigurationPage());
