import type { Core } from '../../core/core.ts';
import { stampOf } from '../../core/users/account.ts';
import { findPasskeyDomain } from '../../ground/config/origin.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { textsInStored } from '../../ground/languages/speech.ts';
import { passkeyAppsOf } from '../../ground/text/passkey-apps.ts';
import { defineCapability } from '../capability.ts';
import { composeFactors } from './composition.ts';
import { createFactorMails } from './enrolment.ts';
import { events } from './events.ts';
import { originsOfApps } from './passkey-apps.ts';
import { createPasskeys, nameProvider, plainName } from './passkeys.ts';
import { rotateEncryptionKey } from './rotate-encryption-key.ts';

/** Passkeys, authenticator apps and recovery codes; the second step of a login, and the login by a passkey alone. */
export const secondFactor = defineCapability({
  name: 'second-factor',
  events,

  features: ({ settings }) => ({
    secondFactor: settings.SECOND_FACTOR !== 'off',
    passkeyDomain: findPasskeyDomain(settings),
    passkeyApps: passkeyAppsOf(settings.PASSKEY_APPS),
  }),

  async make(core: Core) {
    const { settings, database, now, baseUrl } = core;
    const domain = findPasskeyDomain(settings);
    const isOn = settings.SECOND_FACTOR !== 'off';
    const key = await core.loadKey('ceremonies');
    const passkeys = createPasskeys({
      ...core,
      key,
      domain,
      origins: core.publicOrigins,
      appOrigins: originsOfApps(passkeyAppsOf(settings.PASSKEY_APPS)),
    });
    const parts = composeFactors({ ...core, passkeys });
    const { factors, manageFactors, secondFactor, passkeyOffers } = parts;
    const { createEnrolmentLink, descriptions } = createFactorMails(core, baseUrl);
    return {
      parts: {
        ...parts,
        createEnrolmentLink,
        rotateEncryptionKey: () =>
          rotateEncryptionKey(database, core.encryptionKeys, now, () =>
            inTransaction(database, (db) => core.recordKey(db, 'encryption')),
          ),
      },
      factors: {
        requireSecondFactor: secondFactor.requireSecondFactor,
        abandon: secondFactor.abandon,
        checkFactor: factors.checkFactor,
        methodsOf: factors.methodsOf,
        isDemanded: factors.isDemanded,
        list: manageFactors.list,
        removeAll: manageFactors.removeAll,
      },
      async hasOtherSignIn(user, db) {
        return domain !== undefined && (await factors.passkeys.list(user, db)).length > 0;
      },
      isPasskeyOffered: async (signedIn) => domain !== undefined && passkeyOffers.isDue(signedIn),
      async exportDataOf(user) {
        const declined = await passkeyOffers.find(user);
        const againAt = declined?.again_at;
        return { passkey_offer: declined && { again_at: againAt ? new Date(Number(againAt)).toISOString() : null } };
      },
      async listOtherSignIns(account, language) {
        if (!isOn) return [];
        const { words } = textsInStored(language, settings.LANGUAGE);
        const { passkeys, totp } = await manageFactors.list(account.user, stampOf(account));
        // The mail names the provider of each passkey. The name that the user has typed could be an attacker's text.
        const names = passkeys.map(({ aaguid }) => nameProvider(aaguid) || plainName);
        return [...names, ...(totp === undefined ? [] : [words.security.app])];
      },
      imports: factors.totp.imports,
      mails: descriptions,
      clean: () => factors.totp.removeExpired(now()),
    };
  },

  async addRoutes(app, parts, options) {
    const { secondFactor, passkeyDomain } = options.features;
    if (!secondFactor) return;
    (await import('./second-factor.routes.ts')).addSecondFactor(app, parts, options);
    (await import('./enrolment.routes.ts')).addEnrolment(app, parts);
    (await import('./security.routes.ts')).addSecurity(app, parts, options);
    if (passkeyDomain !== undefined) (await import('./passkey.routes.ts')).addPasskeys(app, parts, options);
  },
});
