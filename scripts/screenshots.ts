// Makes the pictures of the README: `node bin/node.mjs scripts/screenshots.ts`
import { fileURLToPath } from 'node:url';
import { launchBrowser, sendLogin } from '../test/browser/browser.ts';
import { password, startJanua } from '../test/janua.ts';

const picture = (name: string) => fileURLToPath(new URL(`../docs/images/${name}.png`, import.meta.url));
const username = 'behai_nguyen@hotmail.com';

await using janua = await startJanua({ settings: { SIGN_UP: 'on' } });
await janua.services.administration.add({ username, firstName: 'Be Hai', lastName: 'Doe', password });
const baseURL = await janua.app.listen({ host: '127.0.0.1', port: 0 });

await using browser = await launchBrowser();
const page = await browser.newPage({ baseURL, viewport: { width: 720, height: 660 }, colorScheme: 'light' });
await page.goto('/auth/login');
await page.getByLabel('Username').fill(username);
await page.screenshot({ path: picture('login') });

await sendLogin(page, { username });
await page.waitForURL('/auth/home');
await page.getByRole('button', { name: 'My Info as JSON' }).click();
await page.getByRole('region', { name: 'My Info as JSON' }).waitFor();
await page.mouse.move(0, 0);
await page.evaluate('document.activeElement.blur()');
await page.screenshot({ path: picture('home'), animations: 'disabled' });

await page.getByRole('link', { name: 'Your account' }).click();
await page.getByRole('heading', { name: 'Your account' }).waitFor();
await page.screenshot({ path: picture('account'), animations: 'disabled' });
