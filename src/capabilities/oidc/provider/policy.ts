import type { KoaContextWithOIDC } from 'oidc-provider';
import { acrValues } from '../claims.ts';
import { mayUse } from '../clients/library-client.ts';
import { interactionPolicy } from './library.ts';
import { signedInOf } from './requests.ts';

const { Check, Prompt } = interactionPolicy;

/** Creates the policy: when a user has to act on a page before the application gets its response. */
export function createPolicy(needsConsent: (ctx: KoaContextWithOIDC) => Promise<boolean>, offersSignUp: boolean) {
  const policy = interactionPolicy.base();
  const [login, consent] = [policy.get('login'), policy.get('consent')];
  // The library's own check accepts a login only when a request resumes. It ignores a login that `createLibrarySessions` has added before.
  login?.checks.remove('login_prompt');
  login?.checks.add(
    new Check(
      'login_prompt',
      'A new proof is required',
      'login_required',
      ({ oidc }) => oidc.prompts.has('login') && !oidc.result?.login,
    ),
    0,
  );
  login?.checks.add(
    new Check('second_factor', 'A second factor is required', ({ oidc }) => {
      if (oidc.acr === acrValues.two) return false;
      // If an application only asks for a second factor (`acr_values`), a login without one is enough. The claim `acr` says that the factor
      // is missing.
      const asks =
        String(oidc.params?.acr_values ?? '')
          .split(' ')
          .includes(acrValues.two) && !(oidc.route === 'resume' && oidc.result?.login);
      return Boolean(oidc.client?.secondFactor) || asks;
    }),
  );
  policy.add(
    new Prompt(
      { name: 'access' },
      new Check('not_in_group', 'The user may not use this application', 'access_denied', (ctx) => {
        const user = signedInOf(ctx)?.user;
        return user !== undefined && ctx.oidc.client !== undefined && !mayUse(ctx.oidc.client, user);
      }),
    ),
    1,
  );
  // A user who has logged in since the request came has chosen or created an account by that. Without sign-up, `create` lets the user
  // choose an account.
  policy.add(
    createPrompt('select_account', 'The user has to choose an account', ({ prompts, result }) => {
      const isAsked = prompts.has('select_account') || (prompts.has('create') && !offersSignUp);
      return isAsked && !result?.login && !('select_account' in (result ?? {}));
    }),
    0,
  );
  policy.add(
    createPrompt(
      'create',
      'The user wants a new account',
      ({ prompts, result }) => offersSignUp && prompts.has('create') && !result?.login,
    ),
    0,
  );
  consent?.checks.remove('native_client_prompt');
  consent?.checks.add(
    new Check('consent', 'The user has not let the application in', 'consent_required', needsConsent),
  );
  return policy;
}

/**
 * Creates a prompt that applications may ask for. The library's own check is removed, because it would ask a user who has just logged in.
 */
function createPrompt(name: string, words: string, isMissing: (oidc: KoaContextWithOIDC['oidc']) => boolean) {
  const prompt = new Prompt({ name, requestable: true });
  prompt.checks.clear();
  prompt.checks.add(new Check(name, words, ({ oidc }) => isMissing(oidc)));
  return prompt;
}
