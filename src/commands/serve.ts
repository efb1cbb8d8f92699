import { compose } from '../compose.ts';
import { loadSettings, requireSafeExposure } from '../config/load.ts';
import { findTraceSettings } from '../config/traces.ts';
import { listen } from './listen.ts';

/** Production: no user that it was not given, and no start with settings that put passwords at risk. */
export async function serve(): Promise<void> {
  const settings = loadSettings();
  requireSafeExposure(settings, 'serve');
  const composition = await compose(settings, { traces: findTraceSettings() });
  try {
    await listen(composition, settings, (port) => {
      const url = settings.PUBLIC_URL ?? `http://localhost:${port}`;
      composition.log.info({ url, port }, 'ready');
    });
  } finally {
    await composition.close();
  }
}
