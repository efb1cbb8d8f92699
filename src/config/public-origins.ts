import { originOf } from './origin.ts';
import type { Settings } from './settings.ts';

/** The origins of our own pages. Without a public URL, these are all loopback names of this machine. */
export function publicOriginsOf({ PUBLIC_URL, PORT }: Settings): Set<string> {
  const origins = new Set<string>();
  const origin = PUBLIC_URL === undefined ? undefined : originOf(PUBLIC_URL);
  if (origin !== undefined) origins.add(origin);
  else if (PORT !== 0) addLoopbackOrigins(origins, PORT);
  return origins;
}

/** Normalises origins as the operator typed them. */
export const originsOf = (texts: readonly string[]) => new Set(texts.map((text) => originOf(text) ?? text));

/** Adds all loopback names of this machine. */
export function addLoopbackOrigins(origins: Set<string>, port: number): void {
  for (const host of ['localhost', '127.0.0.1', '[::1]']) origins.add(new URL(`http://${host}:${port}`).origin);
}
