import { asServer } from '../../../ground/faults/requester.ts';
import type { LoadedKeys } from '../keys/signing-keys.ts';
import type { ProviderOptions } from './options.ts';
import type { OpenIdProvider } from './provider.ts';

/** Milliseconds between two checks whether the keys were rotated. */
const lookMilliseconds = 60_000;

export interface LoaderOptions {
  /** Tells whether an application could use the provider. */
  readonly isNeeded: () => Promise<boolean>;
  readonly loadKeys: () => Promise<LoadedKeys>;
  readonly optionsFor: (keys: ProviderOptions['keys']) => ProviderOptions;
  /** Called before a provider is made. */
  readonly onLoaded: () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Loads the library once an application could use it, and makes the provider anew after the keys were rotated. */
export function createProviderLoader({ isNeeded, loadKeys, optionsFor, onLoaded, now }: LoaderOptions) {
  let opening: Promise<OpenIdProvider | undefined> | undefined;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let keysVersion: string | undefined;

  async function load(current: OpenIdProvider | undefined): Promise<OpenIdProvider | undefined> {
    if (current === undefined && !(await isNeeded())) return undefined;
    const keys = await loadKeys();
    lookedAt = now();
    if (keys.version === keysVersion && current !== undefined) return current;
    keysVersion = keys.version;
    const { createProvider } = await import('./provider.ts');
    onLoaded();
    return createProvider(optionsFor(keys.keys));
  }

  return {
    /**
     * Returns the provider. Undefined as long as there is no client, and no application may use a metadata document.
     * @throws {Unavailable} when a store cannot be reached
     */
    async open(): Promise<OpenIdProvider | undefined> {
      const current = await opening;
      if (current !== undefined && Math.abs(now() - lookedAt) < lookMilliseconds) return current;
      // One request checks the keys. Other requests at the same time wait for it.
      if (current !== undefined) lookedAt = now();
      const next = asServer(() => load(current));
      opening = next.catch(() => current);
      return next;
    },

    isLoaded: (): boolean => keysVersion !== undefined,
  };
}
