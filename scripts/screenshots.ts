// Makes the pictures of the README: `node bin/node.mjs scripts/screenshots.ts`
import { hash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { defaultSettings } from '../src/capabilities/oidc/clients/clients.ts';
import { admins } from '../src/core/users/scopes.ts';
import { openBrowser, sendLogin } from '../test/browser/browser.ts';
import { caller, password, startJanua } from '../test/janua.ts';

const picture = (name: string) => fileURLToPath(new URL(`../docs/images/${name}.png`, import.meta.url));
const username = 'behai_nguyen@hotmail.com';

const day = 86_400_000;
let time = Date.now();
await using janua = await startJanua({ settings: { SIGN_UP: 'on' }, overrides: { now: () => time } });
await janua.services.administration.add({ username, firstName: 'Be Hai', lastName: 'Doe', password });
const grafana = 'https://grafana.example.com/login/generic_oauth';
const addClient = (name: string, redirectUri: string) =>
  janua.services.clientAdministration.addClient({
    ...{ ...defaultSettings, name, redirectUris: [redirectUri], isPublic: false },
    clientUri: new URL(redirectUri).origin,
  });
const { client } = await addClient('Grafana', grafana);
for (const name of ['Handbook', 'Photos', 'Wiki'])
  await addClient(name, `https://${name.toLowerCase()}.example.com/callback`);
const baseURL = await janua.app.listen({ host: '127.0.0.1', port: 0 });

await using browser = await openBrowser();
const page = await browser.newPage({ baseURL, viewport: { width: 720, height: 660 }, colorScheme: 'light' });
await page.goto('/auth/login');
await page.getByLabel('Username').fill(username);
await page.screenshot({ path: picture('login') });

await sendLogin(page, { username });
await page.waitForURL('/auth/home');
await page.screenshot({ path: picture('home'), animations: 'disabled' });

await page.getByRole('link', { name: 'Your account' }).click();
await page.getByRole('heading', { name: 'Your account' }).waitFor();
await page.screenshot({ path: picture('account'), animations: 'disabled' });

const asked = new URLSearchParams({
  ...{ client_id: client.id, redirect_uri: grafana, response_type: 'code', scope: 'openid profile email groups' },
  ...{ code_challenge: hash('sha256', 'x'.repeat(43), 'base64url'), code_challenge_method: 'S256' },
});
await page.setViewportSize({ width: 720, height: 660 });
await page.goto(`/oidc/auth?${asked}`);
await page.getByRole('button', { name: 'Allow' }).waitFor();
await page.screenshot({ path: picture('consent'), animations: 'disabled' });

// A month of a small team, with less on weekends.
const { administration, audit, clean, database } = janua.services;
await administration.changeGroups(username, { add: [admins] });
time -= 30 * day;
for (let hour = 0; hour < 30 * 24; hour += 6, time += day / 4) {
  const isWeekend = [0, 6].includes(new Date(time).getUTCDay());
  const wave = 1 + Math.sin(hour / 5) / 3 + Math.sin(hour / 70) / 3;
  const attack = hour > 400 && hour < 450 ? 9 : 0;
  const counts = {
    'login-succeeded': (isWeekend ? 3 : 12) * wave,
    'login-failed': wave * (isWeekend ? 1 : 2) + attack,
    'login-throttled': attack / 2,
    'signed-up': hour % 42 === 0 ? wave * 2 : 0,
    'mail-sent': wave * 1.5,
  };
  for (const [kind, count] of Object.entries(counts))
    for (let done = 0; done < Math.floor(count); done += 1)
      await audit.recordIn(database, { kind: kind as keyof typeof counts, caller });
}
time = Date.now();
await clean();
await page.setViewportSize({ width: 1080, height: 760 });
await page.goto('/admin?range=30d');
await page.screenshot({ path: picture('overview'), animations: 'disabled' });
