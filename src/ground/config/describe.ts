import { type SettingSchema, settingSchemas } from './settings.ts';

export const settingsHelp = `
Settings, from the environment (those with a password also from a file, such as by DATABASE_URL_FILE):
${Object.entries<SettingSchema>(settingSchemas).map(describe).join('\n')}
`;

function describe([name, schema]: [string, SettingSchema]): string {
  const { description, default: fallback } = schema;
  const shown = fallback === undefined || (Array.isArray(fallback) && fallback.length === 0) ? '' : ` [${fallback}]`;
  return `  ${name.padEnd(26)}${description.replaceAll('`', '')}${shown}`;
}
