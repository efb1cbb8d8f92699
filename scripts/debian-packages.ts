import { findChromium } from '../test/browser/chromium.ts';
import { findWebServer } from '../test/deploy/web-server.ts';
import { findApache } from '../test/servers/apache.ts';
import { findAuthlib } from '../test/servers/authlib.ts';
import { findProgram } from '../test/servers/find-program.ts';
import { findGalera } from '../test/servers/galera.ts';
import { findMariadb } from '../test/servers/mariadb.ts';
import { findOidcAgent } from '../test/servers/oidc-agent.ts';
import { findOpenSmtpd } from '../test/servers/opensmtpd.ts';
import { findPgbouncer } from '../test/servers/pgbouncer.ts';
import { findPostgres } from '../test/servers/postgres.ts';
import { findRedis } from '../test/servers/redis.ts';

/** Programs that only some tests need, by the name of the distribution's package. */
export const testPrograms = {
  'redis-server': findRedis,
  'mariadb-server': findMariadb,
  // Debian's mariadb-server brings both.
  'galera-4': findGalera,
  rsync: findGalera,
  postgresql: findPostgres,
  pgbouncer: findPgbouncer,
  chromium: findChromium,
  nginx: () => findWebServer('nginx'),
  caddy: () => findWebServer('caddy'),
  systemd: () => findProgram('systemd-analyze'),
  opensmtpd: findOpenSmtpd,
  // It brings the program of Apache, but not the package that starts one on port 80.
  'libapache2-mod-auth-openidc': findApache,
  'python3-authlib': findAuthlib,
  'python3-requests': findAuthlib,
  'oidc-agent-cli': findOidcAgent,
  'valkey-server': () => findRedis('valkey-server'),
};

/** The same, for `npm run test:long`. */
export const longTestPrograms = {
  buildah: () => findProgram('buildah'),
  patroni: () => findProgram('patroni'),
  'etcd-server': () => findProgram('etcd'),
  iproute2: () => findProgram('ip'),
  'qemu-user-static': () => findProgram('qemu-aarch64-static'),
  minisign: () => findProgram('minisign'),
};

/** Not every distribution has these packages. */
export const newOpenSmtpd = 'opensmtpd 7';
export const dispensable = ['valkey-server', newOpenSmtpd];
