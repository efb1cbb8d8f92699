import { sourceOf } from './load.ts';
import { type SettingSchema, type Settings, settingSchemas } from './settings.ts';
import { shownUrl } from './shown-url.ts';

/**
 * Lists every setting with its source, without passwords.
 * @param given the names of the settings that an app has passed. Undefined: the settings are from the environment
 */
export const showSettings = (settings: Settings, given?: ReadonlySet<string>) =>
  Object.entries<SettingSchema>(settingSchemas).map(([setting, schema]) => ({
    setting,
    value: shownValue(settings[setting as keyof Settings] ?? null, schema),
    from:
      given === undefined ? sourceOf(setting, schema) : given.has(setting) ? ('app' as const) : ('default' as const),
  }));

const shownValue = (value: Settings[keyof Settings] | null, { format }: SettingSchema) =>
  format === 'password' && value !== null ? shownUrl(String(value)) : value;
