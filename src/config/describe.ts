import type { TSchema } from 'typebox';
import { settingsSchema } from './settings.ts';

/** The settings as the end of a command's help. */
export const settingsHelp = `
Settings, from the environment:
${Object.entries<TSchema>(settingsSchema.properties).map(describe).join('\n')}
`;

function describe([name, schema]: [string, TSchema]): string {
  const { description, default: fallback } = schema as { description?: string; default?: unknown };
  const shown = fallback === undefined || (Array.isArray(fallback) && fallback.length === 0) ? '' : ` [${fallback}]`;
  return `  ${name.padEnd(26)}${description?.replaceAll('`', '')}${shown}`;
}
