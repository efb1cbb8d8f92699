import { compose } from '../compose.ts';
import { loadSettings, requireSafeExposure } from '../config/load.ts';
import { shownUrl } from '../config/shown-url.ts';
import { findTraceSettings } from '../config/traces.ts';
import { demoHash, demoPassword, demoUsers } from './demo-users.ts';
import { hearOrders, listen } from './listen.ts';

/** Runs the server with two built-in users, on this machine only. Keeps its data between runs. */
export async function demo(): Promise<void> {
  const settings = loadSettings({ LOG_LEVEL: 'warn', DRAIN_SECONDS: 0 });
  requireSafeExposure(settings, 'demo');
  const traces = findTraceSettings();
  const composition = await compose(settings, { demoUsers: true, demoMailbox: true, migrates: true, traces });
  await listen(composition, settings, hearOrders(), async ({ url }, { registry }) => {
    for (const user of demoUsers) await registry?.add({ ...user, passwordHash: demoHash, demo: true });
    process.stdout.write(welcome(settings.APP_NAME, url, settings.DOCS === 'on', shownUrl(settings.DATABASE_URL)));
  });
}

function welcome(name: string, url: string, docs: boolean, database: string): string {
  return [
    '',
    `  ${name} is ready:  ${url}`,
    '',
    ...demoUsers.map(({ username }, index) => `  ${index === 0 ? 'Sign in as' : '        or'}  ${username}`),
    `    password  ${demoPassword}`,
    '',
    ...(docs ? [`  Swagger UI  ${url}/docs`] : []),
    `  Data        ${database}`,
    '  Stop        Ctrl+C',
    '',
    '',
  ].join('\n');
}
