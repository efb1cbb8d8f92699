/** A mobile application that may use the passkeys of this server. */
export type PasskeyApp =
  | {
      readonly system: 'ios';
      /** The team and the bundle, such as `A1B2C3D4E5.com.example.app`. */
      readonly id: string;
    }
  | {
      readonly system: 'android';
      readonly packageName: string;
      /** SHA-256 of the certificate that signs the application, in hex. */
      readonly fingerprint: string;
    };

/** Reads an entry of `PASSKEY_APPS`. Undefined for any other text. */
export function parsePasskeyApp(text: string): PasskeyApp | undefined {
  const [, packageName, fingerprint] =
    /^((?:[A-Za-z]\w*\.)+[A-Za-z]\w*)=([\dA-Fa-f]{2}(?::[\dA-Fa-f]{2}){31})$/.exec(text) ?? [];
  if (packageName !== undefined && fingerprint !== undefined)
    return { system: 'android', packageName, fingerprint: fingerprint.replaceAll(':', '').toLowerCase() };
  return /^[A-Z\d]{10}(?:\.[\w-]+)+$/.test(text) ? { system: 'ios', id: text } : undefined;
}

export const passkeyAppsOf = (texts: readonly string[]): PasskeyApp[] =>
  texts.flatMap((text) => parsePasskeyApp(text) ?? []);
