import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from './find-program.ts';
import { createTemporaryFolder } from './process-end.ts';
import { findAccount, startServer, type ThrowAwayServer } from './throw-away-server.ts';

/** Debian's folder for modules of Apache. */
const modules = '/usr/lib/apache2/modules';

/** What an empty Apache needs for a site that users sign in to. */
const modulesOfSite = [
  ...['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'mime', 'dir', 'filter', 'include'],
  'auth_openidc',
];

export interface Apache extends ThrowAwayServer {
  /** Where its files are. A page that ends with `.shtml` may show variables of its environment. */
  readonly documents: string;
  /** Gives it another configuration, in addition to the modules, and starts it again. */
  configure(site: string): Promise<void>;
}

/** The path of Apache on this machine, if it has the module `mod_auth_openidc`. */
export function findApache(): string | undefined {
  return existsSync(join(modules, 'mod_auth_openidc.so')) ? findProgram('apache2') : undefined;
}

export async function startApache(): Promise<Apache> {
  const program = findApache();
  if (program === undefined) throw new Error('Apache with mod_auth_openidc is not installed');
  const folder = createTemporaryFolder('apache-site');
  // Its processes run as another account if we are root.
  await chmod(folder.path, 0o755);
  const documents = join(folder.path, 'documents');
  await mkdir(documents);
  const configuration = join(folder.path, 'apache.conf');
  const site = join(folder.path, 'site.conf');
  const lines = [
    ...modulesOfSite.map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`),
    'ServerName 127.0.0.1',
    'ErrorLog |/bin/cat',
    'TypesConfig /dev/null',
    'AddType text/html .shtml',
    'AddOutputFilter INCLUDES .shtml',
    `DocumentRoot ${documents}`,
    `<Directory ${documents}>`,
    'DirectoryIndex index.shtml',
    'Options +Includes',
    '</Directory>',
    `IncludeOptional ${site}`,
  ];
  await writeFile(configuration, `${lines.join('\n')}\n`);
  const server = await startServer(
    {
      name: 'apache',
      program,
      account: findAccount('www-data', 'nobody'),
      args: ({ home, data, port }) => [
        ...['-D', 'FOREGROUND', '-d', data, '-f', configuration],
        ...[`Listen 127.0.0.1:${port}`, `DefaultRuntimeDir ${home}`, `PidFile ${home}/pid`].flatMap((line) => [
          '-C',
          line,
        ]),
      ],
      url: (port) => `http://127.0.0.1:${port}`,
      answers: async (url, { home }, pid) =>
        Number(await readFile(join(home, 'pid'), 'utf8')) === pid &&
        (await fetch(url, { redirect: 'manual' })).status > 0,
      stopSignal: 'SIGTERM',
      endSignal: 'SIGTERM',
    },
    {},
  );
  return {
    ...server,
    documents,
    async configure(text) {
      await writeFile(site, text);
      await server.stop();
      await server.start();
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder.remove();
    },
  };
}
