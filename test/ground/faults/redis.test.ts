import { connectOnce, startRedis } from '../../servers/redis.ts';
import { testFaults } from './faults.ts';

async function command(url: string, ...words: [string, ...string[]]): Promise<void> {
  const redis = connectOnce(url);
  try {
    await redis.call(...words);
  } finally {
    redis.disconnect();
  }
}

testFaults({
  name: 'Redis',
  part: 'Redis',
  start: startRedis,
  env: (port) => ({ DATABASE_URL: 'sqlite:./janua.db', REDIS_URL: `redis://127.0.0.1:${port}` }),
  async exhaust(url) {
    await command(url, 'config', 'set', 'maxmemory', '1');
    return () => command(url, 'config', 'set', 'maxmemory', '0');
  },
  async makeReadOnly(url) {
    await command(url, 'replicaof', '127.0.0.1', '1');
    return () => command(url, 'replicaof', 'no', 'one');
  },
  // With `appendfsync always` Redis would end itself. The test of a kill covers that.
  smallDisk: { megabytes: 4, args: ['--appendfsync', 'everysec'] },
});
