import { caller } from '../janua.ts';
import type { BodyFace } from '../web/faces.ts';
import { beginApp, enableApp, endTrust, finishLogin, removeApp, removeFactors, renewCodes } from './factor-actions.ts';
import type { SentCode } from './factors.ts';
import { type Done, type Operation, requesting, type Sender } from './operations.ts';

/** Where a recovery code leads. */
const recovered = '/account/security?state=9';

/** @param token the secret of the login that waits, if it is sent in place of the cookie */
export function finishingLogin(
  face: BodyFace,
  sender: Sender,
  { token, code, trusts }: { token: string | undefined; code: SentCode; trusts: boolean },
): Operation {
  const { client, presented } = sender;
  const step = { client, presented, secret: token ?? client.pending ?? '', code, trusts };
  const recovers = code.method === 'recovery_code';
  const fields = { ...code, ...(token !== undefined && { mfa_token: token }), ...(trusts && { trust_browser: 'on' }) };
  return {
    ...requesting(
      { is: 'second-factor', format: face.format, ...(recovers && { next: recovered }) },
      face.request(fields),
      sender,
    ),
    name: `${face.name}, ${code.method}`,
    act: (model, { credentials, factor }) =>
      finishLogin(model, step, { ...(credentials && { credentials }), trusted: factor?.trustedCookie }),
  };
}

/** The changes that a signed-in user makes. Their names are the addresses under the page Security. */
export const factorChanges = ['totp/begin', 'totp', 'totp/remove', 'recovery-codes', 'trusted-browsers/end'] as const;
export type FactorChangeName = (typeof factorChanges)[number];

/** @param code the first one of a new app */
export function changingFactors(is: FactorChangeName, face: BodyFace, sender: Sender, code: string): Operation {
  const { client, presented } = sender;
  const change = { client, presented };
  return {
    ...requesting({ is, format: face.format }, face.request(is === 'totp' ? { code } : {}), sender),
    name: face.name,
    act(model, { credentials, factor }) {
      const given = { ...(credentials && { credentials }), recoveryCodes: factor?.recoveryCodes };
      const actions = {
        'totp/begin': () => beginApp(model, change, factor?.secret),
        totp: () => enableApp(model, change, code, given),
        'totp/remove': () => removeApp(model, change, given),
        'recovery-codes': () => renewCodes(model, change, given),
        'trusted-browsers/end': () => endTrust(model, change),
      };
      return actions[is]();
    },
  };
}

/** What `janua users remove-factors` does. */
export const removingFactors = (username: string): Operation => ({
  name: `janua: remove the factors of ${username}`,
  async send({ services }): Promise<Done> {
    const account = await services.users.findByUsername(username);
    if (account === undefined) return { changeRefused: true, given: {} };
    await services.manageFactors.removeAll(account.user, { caller });
    return { changeRefused: false, given: {} };
  },
  act: (model) => removeFactors(model, username),
  expect: ({ is }) => ({ changeRefused: is === 'refused' }),
  keep: () => {},
});
