import { compose } from '../compose.ts';
import { loadSettings, requireSafeExposure } from '../config/load.ts';
import type { UserRegistry } from '../identity/user-directory.ts';
import { Misconfiguration } from '../misconfiguration.ts';
import { listen } from './listen.ts';

/** Production: no built-in user, and no start with settings that put passwords at risk. */
export async function serve(): Promise<void> {
  const settings = loadSettings();
  requireSafeExposure(settings, 'serve');
  const services = await compose(settings);
  try {
    await refuseDemoUsers(services.users);
    await listen(services, settings, (port) => {
      const url = settings.PUBLIC_URL ?? `http://localhost:${port}`;
      services.log.info({ url, port }, 'ready');
    });
  } finally {
    await services.close();
  }
}

/** Everybody knows the demo's passwords (ASVS 6.3.2, 13.4.2). */
async function refuseDemoUsers(users: UserRegistry): Promise<void> {
  const usable = (await users.list()).filter((user) => user.demo && !user.disabled);
  if (usable.length === 0) return;
  throw new Misconfiguration(
    'The database holds users of the demo, whose password is public. Point DATABASE_URL at another file, or remove them:',
    ...usable.map(({ username }) => `  npx janua users remove ${username}`),
  );
}
