import { accessSync, constants } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import { Misconfiguration } from '../../misconfiguration.ts';
import type { App } from '../types.ts';

const own = (name: string) => fileURLToPath(new URL(`../assets/${name}`, import.meta.url));

/**
 * Styles, scripts and pictures: the only answers that a browser may keep.
 * @param themeFile replaces `theme.css`
 * @throws {Misconfiguration} when it cannot be read
 */
export function addAssets(app: App, themeFile: string | undefined): void {
  if (themeFile !== undefined) requireReadable(themeFile);
  const files: Record<string, string> = {
    'pico.css': fileURLToPath(import.meta.resolve('@picocss/pico/css/pico.classless.min.css')),
    'janua.css': own('janua.css'),
    'theme.css': themeFile === undefined ? own('theme.css') : resolve(themeFile),
    'logo.svg': own('logo.svg'),
    'pages.js': own('pages.js'),
  };
  // An hour, then asked again by its ETag: a changed theme shows up without a new address.
  app.register(fastifyStatic, { serve: false, maxAge: '1h', dotfiles: 'allow' });
  for (const [name, file] of Object.entries(files)) {
    app.get(`/assets/${name}`, { schema: { hide: true } }, (_request, reply) =>
      reply.removeHeader('pragma').sendFile(basename(file), dirname(file)),
    );
  }
}

function requireReadable(themeFile: string): void {
  try {
    accessSync(themeFile, constants.R_OK);
  } catch {
    throw new Misconfiguration('THEME_FILE: the file cannot be read.');
  }
}
