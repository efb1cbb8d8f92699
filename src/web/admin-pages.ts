import type { ownScopes } from '../core/users/scopes.ts';

/** The pages of administrators, in the order of their menu, with the scope that opens each. */
const adminPages = [
  ['/admin', 'overview', 'audit:read'],
  ['/capabilities/admin/users', 'users', 'users:read'],
  ['/capabilities/admin/groups', 'groups', 'users:read'],
  ['/admin/clients', 'clients', 'clients:write'],
  ['/capabilities/admin/audit', 'audit', 'audit:read'],
  ['/capabilities/admin/throttle', 'throttle', 'sessions:write'],
  ['/capabilities/admin/mail', 'mail', 'settings:read'],
  ['/admin/upstreams', 'upstreams', 'settings:read'],
  ['/capabilities/admin/settings', 'settings', 'settings:read'],
] as const satisfies readonly (readonly [string, string, keyof typeof ownScopes])[];

export const adminPagesFor = (scopes: readonly string[]) => adminPages.filter(([, , scope]) => scopes.includes(scope));
