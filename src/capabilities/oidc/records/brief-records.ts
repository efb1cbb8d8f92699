import { mostWaiting, partyOf } from '../sign-in/room-limits.ts';
import type { KeptRecords } from './kept-records.ts';
import { keyOf, ownIdPlaceholder, type Payload } from './record-rows.ts';
import type { BriefRecords } from './redis-requests.ts';

/** Stores requests that wait for their user in Redis. */
export function briefOf(model: string, { put, get, remove }: BriefRecords, now: () => number): KeptRecords {
  const none = async () => undefined;
  async function find(id: string): Promise<Payload | undefined> {
    const text = await get(keyOf(model, id));
    return text === null ? undefined : { ...JSON.parse(text.replaceAll(ownIdPlaceholder, id)), jti: id };
  }
  return {
    async upsert(id, payload, seconds) {
      const { jti: _, ...rest } = payload;
      const text = JSON.stringify({ ...rest, createdAt: now() }).replaceAll(id, ownIdPlaceholder);
      const party = partyOf(model, payload);
      const waiting = party === undefined ? undefined : { party, most: mostWaiting.ofUser, now: now() };
      await put(keyOf(model, id), text, now() + seconds * 1000, waiting);
    },
    find,
    destroy: async (id) => remove(keyOf(model, id), partyOf(model, (await find(id)) ?? {})),
    findByUserCode: none,
    consume: none,
    revokeByGrantId: none,
  };
}
