import type { Check } from '../../selftest/finding.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { checkSchema } from './database.ts';
import { explain } from './fault-findings.ts';
import { checkPublicUrl } from './public-url.ts';
import { checkSigningKeys } from './signing-keys.ts';
import { checkSqliteFile, sqlitePath } from './sqlite-file.ts';
import type { ToldFinding } from './told.ts';

/** Milliseconds for which the findings are kept. */
const freshness = 60_000;

export type CheckUp = ReturnType<typeof createCheckUp>;

/** What `janua doctor` says, as far as it costs a running server next to nothing. */
export function createCheckUp(settings: Settings, opened: OpenDatabase) {
  let latest: Promise<readonly (ToldFinding & { readonly check: string })[]> | undefined;

  async function look() {
    const path = sqlitePath(settings.DATABASE_URL);
    const checks: Readonly<Record<string, Check<unknown>>> = {
      'public-url': checkPublicUrl(settings),
      schema: checkSchema(opened, settings),
      'signing-keys': checkSigningKeys(opened),
      ...(path && path !== ':memory:' && { file: checkSqliteFile(path) }),
    };
    const found: (ToldFinding & { readonly check: string })[] = [];
    for (const [check, findings] of Object.entries(checks)) {
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
    latest ??= look();
    return latest;
  };
}
