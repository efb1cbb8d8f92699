import { compose } from '../compose.ts';
import { loadSettings, requireSafeExposure } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { findTraceSettings } from '../config/traces.ts';
import { demoHash, demoPassword, demoUsers } from './demo-users.ts';
import { listen } from './listen.ts';

/** The server with two built-in users, on this machine only. Keeps its data between runs. */
export async function demo(): Promise<void> {
  const settings = loadSettings({ LOG_LEVEL: 'warn', DRAIN_SECONDS: 0 });
  requireSafeExposure(settings, 'demo');
  const composition = await compose(settings, { demoUsers: true, migrates: true, traces: findTraceSettings() });
  try {
    await listen(composition, settings, async (port, { registry }) => {
      for (const user of demoUsers) await registry?.add({ ...user, passwordHash: demoHash, demo: true });
      const url = settings.PUBLIC_URL ?? `http://localhost:${port}`;
      process.stdout.write(welcome(settings.APP_NAME, url, settings.DOCS === 'on', shownDatabase(settings)));
    });
  } finally {
    await composition.close();
  }
}

/** Where the data is, without the password that a server's address may carry. */
function shownDatabase({ DATABASE_URL }: Settings): string {
  return DATABASE_URL.replace(/^([a-z]+:\/\/)[^@/]*@/, '$1');
}

function welcome(name: string, url: string, docs: boolean, database: string): string {
  const lines = [
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
  ];
  return lines.join('\n');
}
