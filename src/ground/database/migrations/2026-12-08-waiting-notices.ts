import type { MigrationStep } from '../migration-step.ts';

/** Indexes for the notices of logouts that are due to one client, and of one user to one client. */
export const up: MigrationStep = async ({ addIndex }) => {
  await addIndex('janua_logout_notices', ['client_id', 'due_at']);
  await addIndex('janua_logout_notices', ['subject', 'client_id', 'due_at']);
};
