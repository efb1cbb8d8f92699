import { type KeyName, keyNames } from '../database/keys.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { administer } from './administer.ts';

/** What changes once processes use the new key. */
const endings: Readonly<Record<KeyName, string>> = {
  'browser-cookie': 'every browser counts as new to the throttle',
  'audit-names': 'unknown names are not found in older events, and their older failures do not count',
  'forward-auth': 'every other host asks Janua once more which user is signed in; users need not sign in again',
};

/** Replaces a key. Each process uses the old key until its restart. */
export async function rotateKey(name: string): Promise<void> {
  const key = keyNames.find((known) => known === name);
  if (key === undefined) throw new Misconfiguration(`There is no key ${JSON.stringify(name)}: ${keyNames.join(', ')}.`);
  await administer('janua keys rotate', async ({ audit, replaceKey }, caller) => {
    await replaceKey(key);
    await audit.record({ kind: 'key-replaced', reason: key, caller });
    return `There is a new key. Restart every process: from then on ${endings[key]}.`;
  });
}
