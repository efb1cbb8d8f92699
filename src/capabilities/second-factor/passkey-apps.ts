import type { PasskeyApp } from '../../ground/text/passkey-apps.ts';

type Android = PasskeyApp & { readonly system: 'android' };

const isAndroid = (app: PasskeyApp): app is Android => app.system === 'android';

/** Returns the origins that applications of Android sign. Those of iOS sign the address of the domain. */
export const originsOfApps = (apps: readonly PasskeyApp[]): string[] =>
  apps
    .filter(isAndroid)
    .map(({ fingerprint }) => `android:apk-key-hash:${Buffer.from(fingerprint, 'hex').toString('base64url')}`);

/** The file by which iOS recognizes applications that belong to a domain. */
export const siteAssociation = (apps: readonly PasskeyApp[]) => ({
  webcredentials: { apps: apps.flatMap((app) => (app.system === 'ios' ? [app.id] : [])) },
});

/**
 * The file by which Android recognizes them. Passkeys need both relations. The first one alone would also let an application open the
 * domain's links, but only those that its own manifest names.
 */
export const assetLinks = (apps: readonly PasskeyApp[]) =>
  apps.filter(isAndroid).map(({ packageName, fingerprint }) => ({
    relation: ['delegate_permission/common.handle_all_urls', 'delegate_permission/common.get_login_creds'],
    target: {
      namespace: 'android_app',
      package_name: packageName,
      sha256_cert_fingerprints: [fingerprint.toUpperCase().replaceAll(/(?<=..)(?=(?:..)+$)/g, ':')],
    },
  }));
