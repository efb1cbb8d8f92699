import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Provider } from 'oidc-provider';
import type { ProviderOptions } from '../../../../src/capabilities/oidc/provider/options.ts';
import { overrideClients } from '../../../../src/capabilities/oidc/provider/overrides.ts';

test('a member that a new version of the library lacks is not replaced in vain', () => {
  class Client {
    static find() {}
    // Without the other members.
    compareClientSecret() {}
  }
  assert.throws(
    () => overrideClients({ Client } as unknown as Provider, {} as ProviderOptions),
    /oidc-provider has no member/,
  );
});
