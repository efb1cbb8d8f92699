import { type KeyName, keyNames } from '../database/keys.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { administer } from './administer.ts';
import { commandCaller } from './command-caller.ts';

const rotateCommand = 'janua keys rotate';

/** What changes once processes use the new key. */
const endings: Readonly<Record<KeyName, string>> = {
  'browser-cookie': 'every browser counts as new to the throttle',
  'audit-names': 'names that are no user are no longer found in older events, and no longer waited for',
  'forward-auth': 'every other host asks Janua once more who is signed in, and whoever is need not sign in again',
};

/** Replaces a key. Each process uses the old key until its restart. */
export async function rotateKey(name: string): Promise<void> {
  const key = keyNames.find((known) => known === name);
  if (key === undefined) throw new Misconfiguration(`There is no key ${JSON.stringify(name)}: ${keyNames.join(', ')}.`);
  await administer(rotateCommand, async (_administration, { audit, replaceKey }) => {
    await replaceKey(key);
    await audit.record({ kind: 'key-replaced', reason: key, caller: commandCaller(rotateCommand) });
    return `There is a new key. Restart every process: from then on ${endings[key]}.`;
  });
}
