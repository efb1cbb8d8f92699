import type { Check, Finding } from '../../selftest/finding.ts';
import { clocksOf } from '../core/stores/clocks.ts';
import type { Stores } from '../core/stores/stores.ts';
import { findMailRoute } from '../ground/config/mail-server.ts';
import type { Settings } from '../ground/config/settings.ts';
import { asServer } from '../ground/faults/requester.ts';
import { checkBackups } from './backups.ts';
import { checkClock } from './clocks.ts';
import { checkSchema } from './database.ts';
import { explain } from './fault-findings.ts';
import { checkMailOutage } from './mail-outage.ts';
import { checkPublicUrl } from './public-url.ts';
import { checkSigningKeys } from './signing-keys.ts';
import { checkSqliteFile, sqlitePath } from './sqlite-file.ts';

/** Milliseconds for which findings are reused. */
const freshness = 60_000;

export type CheckUp = ReturnType<typeof createCheckUp>;

/** Runs the checks of `janua doctor` that cost a running server next to nothing. Reports the last attempts to send mail, and makes none. */
export function createCheckUp(settings: Settings, stores: Pick<Stores, 'opened' | 'redis'>) {
  const { opened } = stores;
  let latest: ReturnType<typeof look> | undefined;

  async function look() {
    const path = sqlitePath(settings.DATABASE_URL);
    const checks: Readonly<Record<string, Check<unknown>>> = {
      'public-url': checkPublicUrl(settings),
      schema: checkSchema(opened, settings),
      'signing-keys': checkSigningKeys(opened),
      backup: checkBackups(opened),
      ...(findMailRoute(settings) && { mail: checkMailOutage(opened.database) }),
      ...(path && path !== ':memory:' && { file: checkSqliteFile(path) }),
    };
    const clocks = clocksOf(stores).map((clock) => [`${clock.store}-clock`, checkClock(clock)] as const);
    const found: (Finding & { readonly check: string })[] = [];
    for (const [check, findings] of [...Object.entries(checks), ...clocks]) {
      try {
        for await (const finding of findings) found.push({ check, ...finding });
      } catch (error) {
        found.push(...explain(error, settings).map((finding) => ({ check, ...finding })));
      }
    }
    return found;
  }

  return () => {
    if (latest === undefined)
      setTimeout(() => {
        latest = undefined;
      }, freshness).unref();
    latest ??= asServer(look);
    return latest;
  };
}
