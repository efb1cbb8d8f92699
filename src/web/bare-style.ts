import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { assetPath } from './assets.ts';

export type BareStyle = ReturnType<typeof readBareStyle>;

/**
 * Reads the style of pages that another host shows under its own address, where our files are missing. The style is in the page itself, and
 * the policy allows nothing else (CSP Level 3, 8.4: the hash of the text between the tags).
 */
export function readBareStyle(themeFile: string | undefined) {
  const style = [themeFile ?? assetPath('theme.css'), assetPath('bare.css')]
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
    // Browsers convert line breaks to LF before they hash the text. A picture in the theme may contain a tag, which must not end the style.
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll('</', '<\\/');
  const sha256 = hash('sha256', style, 'base64');
  const contentSecurityPolicy = `default-src 'none'; style-src 'sha256-${sha256}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return { style, contentSecurityPolicy };
}
