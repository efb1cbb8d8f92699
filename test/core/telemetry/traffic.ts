import { ann, password, startJanua } from '../../janua.ts';
import { form, logIn } from '../../web/faces.ts';

/** The metrics of a server after every kind of event, including a store failure. */
export async function figuresAfterTraffic(): Promise<string> {
  await using janua = await startJanua({ settings: { METRICS_LISTEN: '0', THROTTLE: 'on' } });
  const { app } = janua;
  const { cookie, bearer } = await logIn(app);
  for (const headers of [cookie, bearer, {}]) await app.inject({ url: '/api/me', headers });
  await app.inject('/nothing');
  for (const fields of [{ username: ann.username, password: 'wrong' }, {}])
    await app.inject({ method: 'POST', url: '/auth/token', ...form(fields) });
  await app.inject({ method: 'POST', url: '/api/logout', headers: bearer });
  await app.inject({ method: 'POST', url: '/api/login', ...form({ username: ann.username, password }) });
  await janua.services.clean();
  // SQLite has no clock of its own.
  janua.services.measures.metrics?.observeClock('database', 0);
  // Metrics of garbage collection exist only after one has run.
  for (let text = ''; !text.includes('nodejs_gc_duration_seconds_count'); text = await janua.readMetrics())
    Array.from({ length: 100_000 }, () => ({}));
  await janua.closeStores();
  await app.inject({ url: '/api/me', headers: cookie });
  return janua.readMetrics();
}
