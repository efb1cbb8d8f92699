import { type SettingSchema, settingGroups, settingSchemas } from '../src/ground/config/settings.ts';
import { asCode, inCell } from './markdown.ts';

const intro = `# Configuration

Made by \`npm run reference\` from [settings.ts](../src/ground/config/settings.ts): do not edit.

Janua reads settings from the environment. An empty setting counts as not set.

If a setting is wrong, Janua says what to change, without the value, and does not start. It checks the settings in three steps,
and reports only the first step that finds a fault:

1. The value of each setting. Janua reports all faults.
2. Settings that are unsafe together. Janua reports all faults.
3. Variables for traces, \`USERS_TABLE\` with \`USERS_COLUMNS\`, and the addresses of stores. Janua reports the first that is wrong.

\`janua doctor\` continues after a fault, so it shows more faults in one run. It warns of names that
differ by one letter from a setting, and of each name in the settings file that is no setting, if \`janua-admin\` or \`--env-file\`
has read the file. \`janua serve\` logs the same as \`setting_unknown\`, and goes on.
\`janua config\` shows the settings that \`janua serve\` uses and where each comes from, without passwords.`;

function kindOf({ type, enum: values, minimum, maximum, minLength, maxLength }: SettingSchema): string {
  if (values !== undefined) return values.map(asCode).join(', ');
  if (type === 'integer') return `whole number, ${minimum} to ${maximum}`;
  if (type === 'array') return 'texts, separated by commas';
  if (maxLength !== undefined) return `text, ${minLength ?? 0} to ${maxLength} characters`;
  return 'text';
}

function rowOf(name: string, schema: SettingSchema): string {
  const { default: usual, description, examples = [], format } = schema;
  const isGiven = usual !== undefined && !(Array.isArray(usual) && usual.length === 0);
  const file = format === 'password' ? ` To read it from a file, set ${asCode(`${name}_FILE`)}.` : '';
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
  for (const [name, schema] of Object.entries<SettingSchema>(settingSchemas)) {
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
