type Names = readonly (readonly [pattern: RegExp, name: string])[];

/** The order matters, because most browsers also name the browsers that they imitate. */
const browsers: Names = [
  [/\bEdg(?:A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/(?:Chrome|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];

const systems: Names = [
  [/\b(?:iPhone|iPod)\b/, 'iOS'],
  [/\biPad\b/, 'iPadOS'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bAndroid\b/, 'Android'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
];

/** The browser and the system of a client, according to its `User-Agent`. A client can send any text. */
export interface NamedClient {
  /**
   * A browser, or the first product that a program names, such as `curl`. The name contains no dot, because mail programs would show an
   * address as a link.
   */
  readonly browser: string | undefined;
  readonly system: string | undefined;
}

/** Reads the browser and the system from a `User-Agent` (RFC 9110 10.1.5). */
export function nameClient(userAgent = ''): NamedClient {
  const nameIn = (names: Names) => names.find(([pattern]) => pattern.test(userAgent))?.[1];
  const [product] = /^(?!Mozilla\b)\w[\w+-]{0,39}/.exec(userAgent) ?? [];
  return { browser: nameIn(browsers) ?? product, system: nameIn(systems) };
}
