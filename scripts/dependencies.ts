/**
 * Gives the faults of the packages in a lock file (ASVS 15.2.4). A package is at fault if it runs a script at install, has no digest,
 * comes from outside the registry, is not pinned, or has a licence that is not on our lists.
 */
export function judgeDependencies(manifest: Manifest, lock: Lock): string[] {
  const faults: string[] = [];
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'] as const)
    for (const [name, version] of Object.entries(manifest[kind] ?? {}))
      if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) faults.push(`${name} is not pinned to one version`);
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path !== '') faults.push(...faultsOf(entry).map((fault) => `${path.replace(/^node_modules\//, '')} ${fault}`));
  }
  return faults;
}

export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Version 3 of npm's lock file. */
export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

export interface LockEntry {
  readonly integrity?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

/** Permissive licences. */
const permissive = [
  'MIT',
  'MIT-0',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'MIT OR Apache-2.0',
];

/** Licences that tools may have, because we do not distribute tools. */
const forTools = [...permissive, 'MPL-2.0', 'PSF-2.0', 'Python-2.0', 'CC0-1.0'];

function faultsOf({ integrity, resolved, license, dev, link, hasInstallScript }: LockEntry): string[] {
  const faults: string[] = [];
  if (hasInstallScript) faults.push('runs a script at install');
  if (!integrity?.startsWith('sha512-')) faults.push('has no SHA-512 digest');
  if (resolved !== undefined || link)
    faults.push('has its own source: packages must come from the configured registry');
  if (!(dev ? forTools : permissive).includes(license ?? '')) faults.push(`has the licence ${license ?? '(none)'}`);
  return faults;
}

/** The part of `npm audit`'s output that we read. */
interface Advisories {
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string }>>;
}

/** Reads known faults of the packages from the output of `npm audit --json`. Undefined if the registry gave no answer. */
export function readAdvisories(printed: string): string[] | undefined {
  const { vulnerabilities } = parse(printed);
  if (vulnerabilities === undefined) return undefined;
  return Object.entries(vulnerabilities).map(([name, { severity }]) => `${name} has a known fault (${severity})`);
}

function parse(printed: string): Advisories {
  try {
    return JSON.parse(printed);
  } catch {
    return {};
  }
}
