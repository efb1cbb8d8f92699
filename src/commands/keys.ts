import type { Services } from '../compose.ts';
import { type KeyName, keyNames } from '../ground/database/keys.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { administer } from './administer.ts';

/** The effect of each new key, once processes use it. */
const endings: Readonly<Record<KeyName, string>> = {
  'browser-cookie': 'every browser counts as new to the throttle',
  'audit-names': 'unknown names are not found in older events, and their older failures do not count',
  'forward-auth': 'every other host asks Janua once more which user is signed in; users need not sign in again',
  applications: 'users are signed in to their applications anew; what lasts without a session stays',
  ceremonies: 'users who are just using a passkey have to try again; passkeys stay',
};

/** The keys that running processes replace without a restart. */
const replaceableKeys: ReadonlyMap<string, (services: Services) => Promise<string>> = new Map([
  ['encryption', rotateEncryption],
  ['signing', rotateSigning],
]);

/** Replaces a key. Each process uses the old key until its restart, except for `encryption` and `signing`. */
export async function rotateKey(name: string): Promise<void> {
  const key = keyNames.find((known) => known === name);
  const replace = key === undefined ? replaceableKeys.get(name) : (services: Services) => rotate(services, key);
  if (replace === undefined) {
    const names = [...keyNames, ...replaceableKeys.keys()].join(', ');
    throw new Misconfiguration(`There is no key ${JSON.stringify(name)}: ${names}.`);
  }
  await administer('janua keys rotate', (services) => replace(services));
}

async function rotate({ replaceKey }: Services, key: KeyName): Promise<string> {
  await replaceKey(key);
  return `There is a new key. Restart every process: from then on ${endings[key]}.`;
}

async function rotateEncryption({ rotateEncryptionKey }: Services): Promise<string> {
  const { encrypted, unreadable } = await rotateEncryptionKey();
  const done = `There is a new key. Secrets that are encrypted with it: ${encrypted}.`;
  if (unreadable === 0) return done;
  return `${done}\nSecrets that cannot be decrypted, because their key is not in the file: ${unreadable}. Their users need another factor. If applications sign their users in here, run: ./bin/janua keys rotate signing`;
}

async function rotateSigning({ rotateSigningKeys }: Services): Promise<string> {
  await rotateSigningKeys();
  return 'There are new keys. Every running server signs with them within three minutes. What the old ones have signed stays valid for a day.';
}
