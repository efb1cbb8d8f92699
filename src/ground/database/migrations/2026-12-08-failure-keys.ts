import type { MigrationStep } from '../migration-step.ts';

/** PostgreSQL orders the keys by their bytes from now on, so that an index finds those of a user. The other databases do so already. */
export const up: MigrationStep = async ({ orderByBytes }) => {
  await orderByBytes('janua_failures', 'key', 400);
};
