import { compose } from './compose.ts';
import { type GivenSettings, requireSafeExposure, takeSettings } from './config/load.ts';
import { Misconfiguration } from './faults/misconfiguration.ts';
import { prepareLater, prepareNow, startCleaning } from './stores/upkeep.ts';
import type { Administration } from './users/administration.ts';
import type { JanuaPlugin } from './web/host-app.ts';

// All that a program gets from `import … from 'janua'`.
export type { GivenSettings } from './config/load.ts';
export { Unavailable } from './faults/unavailable.ts';
export type { Administration } from './users/administration.ts';
export { ChangeRefused } from './users/administration.ts';
export type { JanuaPlugin } from './web/host-app.ts';
export { Misconfiguration };

export interface JanuaOptions {
  /** Makes Janua's tables, or brings them up to date, as `npx janua migrate` does. */
  readonly migrates?: boolean;
}

/** Signing in and out, for a Fastify app. */
export interface Janua {
  /**
   * Adds the pages, `/api/…`, `/assets/…`, `/docs` and `/health/…` to an app, and guards its routes with
   * `config: { signedIn: true }`. The app's closing closes this too.
   */
  readonly plugin: JanuaPlugin;
  /**
   * Adds, changes and removes users, and ends their sessions.
   * @throws {Unavailable} as long as the stores could not be reached since the start
   */
  readonly users: Administration;
  /** Lets go of the stores, where no app does so by its own closing. May be called again. */
  close(): Promise<void>;
}

/**
 * Opens the stores. Where they cannot be reached they are waited for, and meanwhile requests are answered 503.
 * @param settings by the names and with the defaults of `janua serve --help`. The environment is not read.
 * @throws {Misconfiguration} with everything that is wrong with the settings, or with what is wrong with the stores
 */
export async function createJanua(
  settings: GivenSettings = {},
  { migrates = false }: JanuaOptions = {},
): Promise<Janua> {
  if (Number(process.versions.node.split('.', 1)[0]) < 26)
    throw new Misconfiguration(`Janua needs Node 26 or newer, and is tested on 26 alone. This is ${process.version}.`);
  const taken = takeSettings(settings);
  requireSafeExposure(taken, 'serve');
  const composition = await compose(taken, { migrates, caller: { route: 'createJanua' } });
  const ending = new AbortController();
  const cleaning = startCleaning(composition);
  let figures: AsyncDisposable | undefined;
  let closed: Promise<void> | undefined;
  function close(): Promise<void> {
    ending.abort();
    clearInterval(cleaning);
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
