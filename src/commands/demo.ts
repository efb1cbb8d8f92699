import { compose } from '../compose.ts';
import { loadSettings, requireSafeExposure } from '../config/load.ts';
import type { UserRegistry } from '../identity/user-directory.ts';
import { listen } from './listen.ts';

const demoPassword = 'password';

/** Both share one hash of weak cost; it is replaced by a strong one at each user's first login. */
const demoHash = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';

const demoUsers = [
  { username: 'behai_nguyen@hotmail.com', firstName: 'Be Hai', lastName: 'Doe' },
  { username: 'pranav.furedi.10198@gmail.com', firstName: 'Pranav', lastName: 'Furedi' },
];

/** The server with two built-in users, on this machine only. Keeps its data between runs. */
export async function demo(): Promise<void> {
  const settings = loadSettings({ LOG_LEVEL: 'warn' });
  requireSafeExposure(settings, 'demo');
  const services = await compose(settings, { demoUsers: true });
  await addDemoUsers(services.users);
  await listen(services, settings, (port) => {
    const url = settings.PUBLIC_URL ?? `http://localhost:${port}`;
    process.stdout.write(welcome(settings.APP_NAME, url, settings.DOCS === 'on', settings.DATABASE_URL));
  });
  await services.close();
}

async function addDemoUsers(users: UserRegistry): Promise<void> {
  for (const user of demoUsers) await users.add({ ...user, passwordHash: demoHash, demo: true });
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
