import type { MigrationStep } from '../migration-step.ts';

/** Finds the oldest codes and tokens of a grant. */
export const up: MigrationStep = ({ addIndex }) => addIndex('janua_oidc_records', ['grant_id', 'model', 'created_at']);
