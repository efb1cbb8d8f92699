import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import send from '@fastify/send';
import type { App } from './types.ts';

export const assetPath = (name: string) => fileURLToPath(new URL(`./assets/${name}`, import.meta.url));

function findLogo(themeFile: string | undefined): string {
  const themeLogo = themeFile === undefined ? undefined : resolve(dirname(themeFile), 'logo.svg');
  return themeLogo !== undefined && existsSync(themeLogo) ? themeLogo : assetPath('logo.svg');
}

/** Browsers ask for it if a page names no icon, as with JSON. Not added to another app, which may have its own. */
export function addFavicon(app: App, themeFile: string | undefined): void {
  serveFiles(app, '', { 'favicon.ico': findLogo(themeFile) });
}

export function addAssets(app: App, themeFile: string | undefined): void {
  serveFiles(app, '/assets', {
    'pico.css': fileURLToPath(import.meta.resolve('@picocss/pico/css/pico.classless.min.css')),
    'janua.css': assetPath('janua.css'),
    'theme.css': themeFile === undefined ? assetPath('theme.css') : resolve(themeFile),
    'logo.svg': findLogo(themeFile),
    'pages.js': assetPath('pages.js'),
    'passkeys.js': assetPath('passkeys.js'),
    'submit.js': assetPath('submit.js'),
  });
}

/** Serves these files by name. After an hour browsers check the ETag, so a changed theme needs no new address. */
export function serveFiles(app: App, prefix: string, files: Readonly<Record<string, string>>): void {
  for (const [name, file] of Object.entries(files)) {
    const options = { root: dirname(file), maxAge: '1h', dotfiles: 'allow' } as const;
    app.get(`${prefix}/${name}`, { schema: { hide: true } }, async (request, reply) => {
      reply.removeHeader('pragma');
      const sent = await send(request.raw, encodeURIComponent(basename(file)), options);
      if (sent.type === 'error') throw sent.metadata.error;
      return reply.code(sent.statusCode).headers(sent.headers).send(sent.stream);
    });
  }
}
