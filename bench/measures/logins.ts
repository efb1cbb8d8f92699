import type { LoadTasks } from '../processes/load.ts';
import type { Child } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { type Ask, type Figures, observe } from './requests.ts';

/** Number of concurrent logins. */
export const loginConnections = 16;

export function sendLogins(
  server: Child<ServerTasks>,
  load: Child<LoadTasks>,
  { requests, expected }: Ask,
  { logins: count, seconds }: { readonly logins: number; readonly seconds: number },
): Promise<Figures> {
  return observe(server, async () => {
    const port = await server.ask('port');
    return load.ask('send', { port, requests, expected, connections: loginConnections, count, seconds });
  });
}
