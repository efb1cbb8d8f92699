import { loadSettings, requireSafeExposure } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { findTraceSettings } from '../config/traces.ts';
import { endsWithTerminal } from './launcher.ts';
import { listen, type Orders, type ServerAddress } from './listen.ts';
import { supervise } from './supervise.ts';
import { obeyPrimary } from './worker.ts';

/**
 * Serves in production. It has no built-in users, and refuses settings that put passwords at risk.
 * @param worker whether this process is a worker under a primary
 */
export async function serve({ worker = false }: { worker?: boolean } = {}): Promise<void> {
  if (worker) {
    await obeyPrimary((orders, onReady) => serveHere(readSafeSettings(), orders, onReady));
    return;
  }
  const settings = readSafeSettings();
  if (settings.WORKERS === 1) return serveHere(settings);
  await supervise(settings);
}

function readSafeSettings(): Settings {
  const settings = loadSettings();
  requireSafeExposure(settings, 'serve');
  return settings;
}

async function serveHere(
  settings: Settings,
  orders?: Orders,
  onReady?: (address: ServerAddress) => void,
): Promise<void> {
  // Imported here, because the primary needs none of it.
  const { compose } = await import('../compose.ts');
  const composition = await compose(settings, { traces: findTraceSettings() });
  function announce(address: ServerAddress): void {
    composition.log.info(address, 'ready');
    if (endsWithTerminal) return;
    process.on('SIGHUP', () => {
      composition.log.warn({ event: 'reload_failed' }, 'a server of one process cannot reload: restart it');
    });
  }
  await listen(composition, settings, onReady ?? announce, orders);
}
