import { open } from 'node:fs/promises';
import { connectOnce } from '../../test/servers/redis.ts';
import type { TableFile } from './population.ts';

/** Sessions in one command, and concurrent commands. */
const batchSize = 500;
const commandsUnderWay = 8;

/**
 * Writes the same keys as the session store (src/core/sessions/redis-store.ts), for many sessions at once. The sessions are in the order of
 * their expiry, so each index gets the expiry of its last session.
 */
const script = `for at = 1, #ARGV, 8 do
    local session, index = 'janua:session:' .. ARGV[at], 'janua:sessions-of:' .. ARGV[at + 1]
    redis.call('HSET', session, 'user', ARGV[at + 1], 'fingerprint', ARGV[at + 2], 'cookie', ARGV[at + 3],
      'token', ARGV[at + 4], 'created', ARGV[at + 5], 'seen', ARGV[at + 6], 'expires', ARGV[at + 7])
    redis.call('PEXPIREAT', session, ARGV[at + 7])
    redis.call('ZADD', index, ARGV[at + 7], ARGV[at])
    redis.call('PEXPIREAT', index, ARGV[at + 7])
  end`;

export async function fillRedis(url: string, { path }: TableFile): Promise<void> {
  const redis = connectOnce(url);
  try {
    await using file = await open(path);
    let values: string[] = [];
    let sent: Promise<unknown>[] = [];
    let sessions = 0;
    for await (const line of file.readLines()) {
      values.push(...line.split('\t'));
      sessions += 1;
      if (sessions % batchSize !== 0) continue;
      sent.push(redis.eval(script, 0, ...values));
      values = [];
      if (sent.length < commandsUnderWay) continue;
      await Promise.all(sent);
      sent = [];
    }
    await Promise.all([...sent, redis.eval(script, 0, ...values)]);
  } finally {
    redis.disconnect();
  }
}
