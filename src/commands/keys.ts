import { type KeyName, keyNames } from '../database/keys.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { administer } from './administer.ts';

/** What changes once processes use the new key. */
const endings: Readonly<Record<KeyName, string>> = {
  'browser-cookie': 'every browser counts as new to the throttle',
  'audit-names': 'unknown names are not found in older events, and their older failures do not count',
  'forward-auth': 'every other host asks Janua once more which user is signed in; users need not sign in again',
  ceremonies: 'users who are just using a passkey have to try again; passkeys stay',
};

/** The key that is not in the database. */
const encryption = 'encryption';

/** Replaces a key. Each process uses the old key until its restart. */
export async function rotateKey(name: string): Promise<void> {
  if (name === encryption) return rotateEncryption();
  const key = keyNames.find((known) => known === name);
  if (key === undefined) {
    const known = [...keyNames, encryption].join(', ');
    throw new Misconfiguration(`There is no key ${JSON.stringify(name)}: ${known}.`);
  }
  await administer('janua keys rotate', async ({ audit, replaceKey }, caller) => {
    await replaceKey(key);
    await audit.record({ kind: 'key-replaced', reason: key, caller });
    return `There is a new key. Restart every process: from then on ${endings[key]}.`;
  });
}

/** Replaces the key for secrets in the database, and encrypts them again. Every process on this machine uses the new key at once. */
async function rotateEncryption(): Promise<void> {
  await administer('janua keys rotate', async ({ audit, rotateEncryptionKey }, caller) => {
    const { encrypted, unreadable } = await rotateEncryptionKey();
    await audit.record({ kind: 'key-replaced', reason: encryption, caller });
    const lines = [`There is a new key. Secrets that are encrypted with it: ${encrypted}.`];
    if (unreadable > 0)
      lines.push(
        `Secrets that cannot be decrypted, because their key is not in the file: ${unreadable}. Their users need another factor.`,
      );
    return lines.join('\n');
  });
}
