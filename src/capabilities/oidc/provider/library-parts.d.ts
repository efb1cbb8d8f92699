/** Parts of the library whose types only its index has. */
declare module 'oidc-provider/lib/*';
