/** Only the index of oidc-provider has types. */
declare module 'oidc-provider/lib/*';
