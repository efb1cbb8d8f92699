import { type Overrides, compose as ownCompose, type Services } from '../src/compose.ts';
import { loadSettings } from '../src/config/load.ts';
import type { Settings } from '../src/config/settings.ts';
import type { App } from '../src/http/types.ts';

export const password = 'correct horse battery';

export const ann = { username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer' };

/** A server with its own empty database in memory, in this process, with one user: Ann. */
export interface TestJanua extends AsyncDisposable {
  readonly app: App;
  readonly services: Services;
}

export interface TestOptions {
  readonly settings?: Partial<Settings>;
  readonly overrides?: Overrides;
  /** Another copy of `compose`, as from a changed tree. */
  readonly compose?: typeof ownCompose;
}

export async function startJanua({
  settings = {},
  overrides = {},
  compose = ownCompose,
}: TestOptions = {}): Promise<TestJanua> {
  const effective = {
    ...loadSettings({}, {}),
    DATABASE_URL: 'sqlite::memory:',
    LOG_LEVEL: 'silent' as const,
    ...settings,
  };
  const services = await compose(effective, { failureFloor: 0, ...overrides });
  await services.administration.add({ ...ann, password });
  const app = await services.createServer();
  await app.ready();
  return {
    app,
    services,
    async [Symbol.asyncDispose]() {
      await app.close();
      await services.close();
    },
  };
}
