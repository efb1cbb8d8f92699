import type { MigrationStep } from '../migration-step.ts';

/** An index for the notices of logouts that are due to one client. */
export const up: MigrationStep = async ({ addIndex }) => {
  await addIndex('janua_logout_notices', ['client_id', 'due_at']);
};
