import { ann, password, startJanua } from '../../janua.ts';
import { form } from '../../web/faces.ts';

/** The metrics of a server after every kind of event, including a store failure. */
export async function figuresAfterTraffic(): Promise<string> {
  await using janua = await startJanua({ settings: { METRICS_LISTEN: '0', THROTTLE: 'on' } });
  const { app } = janua;
  const { cookie, bearer } = await janua.logIn();
  for (const headers of [cookie, bearer, {}]) await janua.get('/api/me', headers);
  await janua.get('/nothing');
  for (const fields of [{ username: ann.username, password: 'wrong' }, {}]) await janua.post('/auth/token', fields);
  await janua.post('/api/logout', undefined, bearer);
  await app.inject({ method: 'POST', url: '/api/login', ...form({ username: ann.username, password }) });
  await janua.services.clean();
  // SQLite has no clock of its own.
  janua.services.measures.metrics?.observeClock('database', 0);
  // Metrics of garbage collection exist only after one has run.
  for (let text = ''; !text.includes('nodejs_gc_duration_seconds_count'); text = await janua.readMetrics())
    Array.from({ length: 100_000 }, () => ({}));
  await janua.closeStores();
  await janua.get('/api/me', cookie);
  return janua.readMetrics();
}
