import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createStaticBody, type StaticBody, sendStaticBody } from './static-body.ts';
import type { App } from './types.ts';

export const assetPath = (name: string) => fileURLToPath(new URL(`./assets/${name}`, import.meta.url));

function findLogo(themeFile: string | undefined): string {
  const themeLogo = themeFile === undefined ? undefined : resolve(dirname(themeFile), 'logo.svg');
  return themeLogo !== undefined && existsSync(themeLogo) ? themeLogo : assetPath('logo.svg');
}

/**
 * Adds the icon that browsers request if a response names none, such as JSON. Not added to an app that has mounted Janua, because it may
 * have its own.
 */
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

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Serves these files by name. After an hour browsers check the ETag, so a changed theme needs no new address. */
export function serveFiles(app: App, prefix: string, files: Readonly<Record<string, string>>): void {
  for (const [name, file] of Object.entries(files)) {
    const read = createReadAgain(file);
    app.get(`${prefix}/${name}`, { schema: { hide: true } }, async (request, reply) =>
      sendStaticBody(request, reply, await read(), 'public, max-age=3600'),
    );
  }
}

/** Reads a file at its first request, and again after it has changed. */
function createReadAgain(file: string): () => Promise<StaticBody> {
  let last: { readonly version: string; readonly body: Promise<StaticBody> } | undefined;
  const readNow = async () =>
    createStaticBody(await readFile(file), types[extname(file)] ?? 'application/octet-stream');
  return async () => {
    const { mtimeMs, size } = await stat(file).catch((error: Error) => {
      throw Object.assign(error, { statusCode: 404 });
    });
    const version = `${mtimeMs} ${size}`;
    if (last?.version !== version) last = { version, body: readNow() };
    return last.body;
  };
}
