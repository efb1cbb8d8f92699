import createError from '@fastify/error';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

const Misdirected = createError('JANUA_MISDIRECTED', 'This server does not answer for that host', 421);

/**
 * Answers only for our own hosts, if they are limited. Otherwise another site could point its name here (DNS rebinding), and its pages
 * could then read ours.
 */
export function addOwnHost(app: App, isOwnHost: FlowOptions['isOwnHost']): void {
  if (isOwnHost === undefined) return;
  app.addHook('onRequest', ({ headers: { host = '' } }, _reply, done) => {
    done(isOwnHost(host.replace(/:\d*$/, '')) ? undefined : new Misdirected());
  });
}
