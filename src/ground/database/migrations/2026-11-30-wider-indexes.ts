import type { MigrationStep } from '../migration-step.ts';

/** What a sweep and the removal of a client look for, among many rows of others. */
export const up: MigrationStep = async ({ addIndex }) => {
  await addIndex('janua_logout_notices', ['due_at', 'session_id']);
  await addIndex('janua_oidc_records', ['client_id']);
  await addIndex('janua_consents', ['client_id']);
};
