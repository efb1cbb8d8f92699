import type { Services } from '../compose.ts';
import { type KeyName, keyNames } from '../database/keys.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { administer } from './administer.ts';

/** What changes once processes use the new key. */
const endings: Readonly<Record<KeyName, string>> = {
  'browser-cookie': 'every browser counts as new to the throttle',
  'audit-names': 'unknown names are not found in older events, and their older failures do not count',
  'forward-auth': 'every other host asks Janua once more which user is signed in; users need not sign in again',
  applications: 'users are signed in to their applications anew; what lasts without a session stays',
  ceremonies: 'users who are just using a passkey have to try again; passkeys stay',
};

const encryption = 'encryption';

/** Replaces a key. Each process uses the old key until its restart; but every process on this machine at once for `encryption`. */
export async function rotateKey(name: string): Promise<void> {
  const key = keyNames.find((known) => known === name);
  if (key === undefined && name !== encryption)
    throw new Misconfiguration(`There is no key ${JSON.stringify(name)}: ${[...keyNames, encryption].join(', ')}.`);
  await administer('janua keys rotate', async (services, caller) => {
    const done = key === undefined ? await rotateEncryption(services) : await rotate(services, key);
    await services.audit.record({ kind: 'key-replaced', reason: name, caller });
    return done;
  });
}

async function rotate({ replaceKey }: Services, key: KeyName): Promise<string> {
  await replaceKey(key);
  return `There is a new key. Restart every process: from then on ${endings[key]}.`;
}

async function rotateEncryption({ rotateEncryptionKey }: Services): Promise<string> {
  const { encrypted, unreadable } = await rotateEncryptionKey();
  const done = `There is a new key. Secrets that are encrypted with it: ${encrypted}.`;
  if (unreadable === 0) return done;
  return `${done}\nSecrets that cannot be decrypted, because their key is not in the file: ${unreadable}. Their users need another factor.`;
}
