// Composes the server as `janua serve` does, and reports its port and usage to the parent process.
import { hearOrders, listen } from '../../src/commands/listen.ts';
import { compose } from '../../src/compose.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { offer } from './child.ts';
import { usage, usageAtRest } from './server-tasks.ts';

const settings = loadSettings();
const composition = await compose(settings);
const listening = Promise.withResolvers<number>();
listen(composition, settings, hearOrders(), ({ port }) => listening.resolve(port)).catch(listening.reject);

offer({ port: () => listening.promise, usage, usageAtRest });
