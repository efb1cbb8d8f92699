import type { ownScopes } from '../core/users/scopes.ts';

/** The pages of administrators, in the order of their menu, with the scope that opens each. */
const adminPages = [
  ['/admin', 'overview', 'audit:read'],
  ['/admin/users', 'users', 'users:read'],
  ['/admin/groups', 'groups', 'users:read'],
  ['/admin/clients', 'clients', 'clients:write'],
  ['/admin/audit', 'audit', 'audit:read'],
  ['/admin/throttle', 'throttle', 'sessions:write'],
  ['/admin/mail', 'mail', 'settings:read'],
  ['/admin/upstreams', 'upstreams', 'settings:read'],
  ['/admin/settings', 'settings', 'settings:read'],
] as const satisfies readonly (readonly [string, string, keyof typeof ownScopes])[];

export const adminPagesFor = (scopes: readonly string[]) => adminPages.filter(([, , scope]) => scopes.includes(scope));

/** The tag of all pages for administrators in the OpenAPI document. */
export const tag = 'Administration';
