import { originOf } from './origin.ts';
import type { Settings } from './settings.ts';

/** Where our own pages come from. Without a public URL, this machine by each of its names. */
export function publicOriginsOf({ PUBLIC_URL, PORT }: Settings): Set<string> {
  const origins = new Set<string>();
  const origin = PUBLIC_URL === undefined ? undefined : originOf(PUBLIC_URL);
  if (origin !== undefined) origins.add(origin);
  else if (PORT !== 0) addLoopbackOrigins(origins, PORT);
  return origins;
}

/** Of origins as they were typed. */
export const originsOf = (texts: readonly string[]) => new Set(texts.map((text) => originOf(text) ?? text));

/** This machine by each of its names. */
export function addLoopbackOrigins(origins: Set<string>, port: number): void {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) origins.add(new URL(`http://${host}:${port}`).origin);
}
