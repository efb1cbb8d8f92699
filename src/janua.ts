import { compose } from './compose.ts';
import type { Administration } from './core/changes/administration.ts';
import { prepareLater, prepareNow } from './core/stores/upkeep.ts';
import { type GivenSettings, requireSafeExposure, takeSettings } from './ground/config/load.ts';
import { Misconfiguration } from './ground/faults/misconfiguration.ts';
import type { JanuaPlugin } from './web/host-app.ts';

export type { Administration } from './core/changes/administration.ts';
export { ChangeRefused } from './core/users/change-refused.ts';
// The public API: `import … from 'janua'`.
export type { GivenSettings } from './ground/config/load.ts';
export { Unavailable } from './ground/faults/unavailable.ts';
export type { JanuaPlugin } from './web/host-app.ts';
export { Misconfiguration };

export interface JanuaOptions {
  /** Creates or updates Janua's tables, as `./bin/janua migrate` does. */
  readonly migrates?: boolean;
}

export interface Janua {
  /**
   * Adds the pages, `/api/…`, `/assets/…`, `/docs` and `/health/…` to an app. Guards the app's routes that have
   * `config: { signedIn: true }`. Janua closes when the app closes.
   */
  readonly plugin: JanuaPlugin;
  /** Adds, changes and removes users, and ends their sessions. @throws {Unavailable} until the stores have been reached once */
  readonly users: Administration;
  /** Closes the stores, for a program that has no app to close. May be called again. */
  close(): Promise<void>;
}

/**
 * Opens the stores. If they cannot be reached, Janua keeps trying and answers requests with 503.
 * @param settings with the names and defaults of `janua serve --help`. The environment is not read.
 * @throws {Misconfiguration} with every fault in the settings, or with the fault of the stores
 */
export async function createJanua(
  settings: GivenSettings = {},
  { migrates = false }: JanuaOptions = {},
): Promise<Janua> {
  if (Number(process.versions.node.split('.', 1)[0]) < 24)
    throw new Misconfiguration(`Janua needs Node 24 or newer, and is tested on 24 and 26. This is ${process.version}.`);
  // The app decides the port, which is known once it listens.
  const taken = { ...takeSettings(settings), PORT: 0 };
  requireSafeExposure(taken, 'serve');
  const composition = await compose(taken, {
    migrates,
    caller: { route: 'createJanua' },
    given: new Set(Object.keys(settings)),
  });
  const ending = new AbortController();
  let figures: AsyncDisposable | undefined;
  let closed: Promise<void> | undefined;
  function close(): Promise<void> {
    ending.abort();
    closed ??= Promise.all([figures?.[Symbol.asyncDispose](), composition.close()]).then(() => {});
    return closed;
  }

  try {
    figures = await composition.listenForMetrics();
    if ((await prepareNow(composition)) === undefined)
      prepareLater(composition, ending.signal).catch((error: unknown) => composition.log.fatal(error));
    return {
      plugin: await composition.createPlugin(close),
      get users() {
        return composition.requireServices().administration;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
