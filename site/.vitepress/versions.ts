import { globSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes a page that lists the versions whose sites are in a folder, newest first. @param colours as CSS variables */
export function listVersions(folder: string, colours: string): void {
  const versions = globSync('*/index.html', { cwd: folder })
    .map(dirname)
    .sort(new Intl.Collator('en', { numeric: true }).compare)
    .reverse();
  const page = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <meta name="color-scheme" content="light dark">
  <title>Versions of Janua</title>
  <style>
    ${colours}
    body { max-width: 34rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif; background: var(--ground); color: var(--ink) }
    a { color: var(--accent) }
  </style>
  <h1>Versions of Janua</h1>
  <ul>
${versions.map((version) => `    <li><a href="${version}/">Janua ${version}</a></li>`).join('\n')}
  </ul>
</html>
`;
  writeFileSync(join(folder, 'index.html'), page);
}
