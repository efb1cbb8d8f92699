import type { MigrationStep } from '../migration-step.ts';

/** Indexes for the sweep of logout notices and for the removal of a client. Without them, both read many other rows. */
export const up: MigrationStep = async ({ addIndex }) => {
  await addIndex('janua_logout_notices', ['due_at', 'session_id']);
  await addIndex('janua_oidc_records', ['client_id']);
  await addIndex('janua_consents', ['client_id']);
};
