import type * as library from 'oidc-provider';
import * as errorClasses from 'oidc-provider/lib/helpers/errors.js';
import * as policies from 'oidc-provider/lib/helpers/interaction_policy/index.js';
import * as providers from 'oidc-provider/lib/provider.js';

/** Imports oidc-provider by its parts. Its index prints a warning on a Node that is no LTS release, as Janua's own may be. */
export type Provider = library.Provider;
export const { Provider } = providers as Pick<typeof library, 'Provider'>;
export const errors = errorClasses as typeof library.errors;
export const interactionPolicy = policies as typeof library.interactionPolicy;
