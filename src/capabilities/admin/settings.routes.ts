import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { json, listOf, object, text } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { settingsView } from './views.ts';

export interface SettingParts {
  /** The settings in effect, without passwords. */
  readonly shownSettings: readonly { readonly setting: string; readonly value: unknown; readonly from: string }[];
}

const settingSchema = object('A setting', {
  setting: text('PORT'),
  value: {
    type: ['array', 'string', 'integer', 'null'],
    items: { type: 'string' },
    description: 'Of an address only what has no password. Null if it is not set',
    examples: [5000],
  },
  from: text('default', '`environment`, `file`, `default`, or `app` for an app that contains Janua'),
});

/** Adds the page with the settings in effect. */
export function addSettings(app: App, parts: () => SettingParts): void {
  addAction(app, ['/admin/settings', '/api/admin/settings'], {
    method: 'GET',
    summary: 'Settings',
    description: 'The settings in effect, and where they are from.',
    tag,
    config: { signedIn: true, scope: 'settings:read', view: settingsView },
    answer: json('The settings', object('Settings', { settings: listOf(settingSchema) })),
    browser: 'The page with the settings',
    handle: () => ({ settings: parts().shownSettings }),
  });
}
