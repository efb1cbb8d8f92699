import { compose } from '../compose.ts';
import type { Held } from '../core/users/held.ts';
import { admins } from '../core/users/scopes.ts';
import { loadSettings, requireSafeExposure } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import { shownUrl } from '../ground/config/shown-url.ts';
import { findTraceSettings } from '../ground/config/traces.ts';
import { demoAdministrator, demoHash, demoPassword, demoUsers } from './demo-users.ts';
import { hearOrders, listen } from './listen.ts';

export async function demo(): Promise<void> {
  const settings = loadSettings({ LOG_LEVEL: 'warn', DRAIN_SECONDS: 0, SIGN_UP: 'on' });
  requireSafeExposure(settings, 'demo');
  const traces = findTraceSettings();
  const composition = await compose(settings, { demoUsers: true, demoMailbox: true, migrates: true, traces });
  await listen(composition, settings, hearOrders(), async ({ url }, { holdNew, groups }) => {
    const demoUser = { passwordHash: demoHash, demo: true };
    for (const user of demoUsers) await holdNew?.({ ...user, ...demoUser }, async () => {});
    const makeAdministrator = async (held: Held) => groups.setGroupsOf(held, () => [admins]);
    await holdNew?.({ ...demoAdministrator, ...demoUser }, makeAdministrator, { groups: true });
    process.stdout.write(welcome(settings, url));
  });
}

function welcome({ APP_NAME, DOCS, MAIL_URL, DATABASE_URL }: Settings, url: string): string {
  return [
    '',
    `  ${APP_NAME} is ready:  ${url}`,
    '',
    ...demoUsers.map(({ username }, index) => `  ${index === 0 ? 'Sign in as' : '        or'}  ${username}`),
    `    password  ${demoPassword}`,
    `  Administrator, with the same password:  ${demoAdministrator.username}`,
    '',
    ...(DOCS === 'on' ? [`  Swagger UI  ${url}/docs`] : []),
    ...(MAIL_URL === undefined ? [`  Mailbox     ${url}/demo/mail`] : []),
    `  Data        ${shownUrl(DATABASE_URL)}`,
    '  Stop        Ctrl+C',
    '',
    '',
  ].join('\n');
}
