import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { availableParallelism } from 'node:os';
import { Ajv } from 'ajv';
import { type Fault, Misconfiguration } from '../faults/misconfiguration.ts';
import { canonicalDomain, canonicalMailAddress, isMailAddress } from '../text/mail-address.ts';
import { bareHost, parseNetwork, unixSockets } from '../text/networks.ts';
import { parsePasskeyApp } from '../text/passkey-apps.ts';
import { findHeaderFaults } from './forward-headers.ts';
import { parseForwardRule } from './forward-rules.ts';
import { parseListenAddress } from './listen-address.ts';
import { parseMailFrom, parseMailUrl } from './mail-server.ts';
import { isHttps, isLoopbackHost, isOwnDomain, originOf, originsOf } from './origin.ts';
import { type SettingSchema, type Settings, settingSchemas } from './settings.ts';
import { findUpstreamFaults } from './upstreams-file.ts';

// Ajv does not validate the schemas, because the TypeScript compiler checks them.
const ajv = new Ajv({ meta: false, validateSchema: false, formats: { password: true } });

type Faults = (Fault | string)[];

/** @throws {Misconfiguration} with every fault at once, naming settings and limits but no values */
export function loadSettings(defaults: Partial<Settings> = {}, environment: NodeJS.ProcessEnv = process.env): Settings {
  const faults: Faults = [];
  return checkSettings(faults, (name, schema) => {
    const text = readText(name, schema, environment, faults);
    return text === '' ? defaults[name] : fromText(text, schema);
  });
}

/** Returns the account that ran `sudo`. It is a hint and no proof, because the operator can set `SUDO_USER`. */
export const findSudoUser = () => process.env.SUDO_USER || undefined;

/** Tells where `loadSettings` takes the value of a setting from. */
export function sourceOf(name: string, schema: SettingSchema): 'environment' | 'file' | 'default' {
  if (findFile(name, schema, process.env) !== undefined) return 'file';
  return process.env[name]?.trim() ? 'environment' : 'default';
}

const hostSettings = ['HOST', 'PORT', 'WORKERS', 'DRAIN_SECONDS'] as const;

/** The settings that an app may pass if Janua is a part of it. `undefined` means the default. */
export type GivenSettings = {
  readonly [Name in Exclude<keyof Settings, (typeof hostSettings)[number]>]?: Settings[Name] | undefined;
};

/**
 * Checks the settings that an app passes, without reading the environment.
 * @throws {Misconfiguration} with every fault at once, naming settings and limits but no values
 */
export function takeSettings(given: GivenSettings): Settings {
  const faults: Faults = [];
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(settingSchemas, name)) faults.push(`${name} is not a setting.`);
    else if (value !== undefined && (hostSettings as readonly string[]).includes(name))
      faults.push(`${name} is decided by the app that Janua is a part of.`);
  }
  // The app listens, and not Janua. So Janua knows its own address only from PUBLIC_URL.
  if (given.MAIL_URL !== undefined && given.PUBLIC_URL === undefined)
    faults.push('PUBLIC_URL must be set when MAIL_URL is, because mails have links.');
  return checkSettings(faults, (name) => given[name as keyof GivenSettings]);
}

function checkSettings(faults: Faults, findValue: (name: keyof Settings, schema: SettingSchema) => unknown): Settings {
  const settings: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries<SettingSchema>(settingSchemas)) {
    const value = findValue(name as keyof Settings, schema) ?? schema.default;
    if (value === undefined) continue;
    if (ajv.validate(schema, value)) settings[name] = value;
    else faults.push(`${name} must be ${expectation(schema)}.`);
  }
  settings.HASHING_CONCURRENCY ??= coresForEach(settings as Partial<Settings>);
  faults.push(...furtherFaults(settings as Partial<Settings>));
  if (faults.length > 0) throw new Misconfiguration(...faults);
  // Removes the slash that operators may type at the end of the address.
  if (typeof settings.PUBLIC_URL === 'string') settings.PUBLIC_URL = originOf(settings.PUBLIC_URL);
  return settings as Settings;
}

const coresForEach = ({ WORKERS = 1 }: Partial<Settings>) =>
  Math.min(Math.ceil(availableParallelism() / WORKERS), settingSchemas.HASHING_CONCURRENCY.maximum);

/**
 * Refuses settings that would put passwords at risk (ASVS 12.2.1, 13.3.1).
 * @param mode `demo` has built-in users and serves this machine only. `serve` is production
 * @throws {Misconfiguration} with every fault at once
 */
export function requireSafeExposure(settings: Settings, mode: 'demo' | 'serve'): void {
  const faults = mode === 'demo' ? demoFaults(settings) : serveFaults(settings);
  if (faults.length > 0) throw new Misconfiguration(...faults);
}

function furtherFaults(settings: Partial<Settings>): string[] {
  const { PUBLIC_URL, TRUSTED_PROXIES, METRICS_LISTEN, THEME_FILE, FORWARD_AUTH_ORIGINS = [] } = settings;
  const { FORWARD_AUTH_RULES = [], FORWARD_AUTH_HEADERS = [], SECURITY_CONTACT } = settings;
  const { MAIL_URL, MAIL_FROM, OPERATOR_MAIL, PASSKEY_DOMAIN, SIGN_UP_DOMAINS, ADMINISTRATORS, SCOPES, USERS_TABLE } =
    settings;
  const faults: string[] = [];
  if (PUBLIC_URL !== undefined && originOf(PUBLIC_URL) === undefined)
    faults.push('PUBLIC_URL must be an http or https address without a path, such as https://auth.example.com.');
  else if (PASSKEY_DOMAIN !== undefined && !isOwnDomain(PASSKEY_DOMAIN, PUBLIC_URL))
    faults.push('PASSKEY_DOMAIN must be the host of PUBLIC_URL, or a parent domain of it, such as example.com.');
  if (settings.PASSKEY_APPS?.some((text) => parsePasskeyApp(text) === undefined))
    faults.push(
      'PASSKEY_APPS must be TEAM.BUNDLE for iOS, or PACKAGE=FINGERPRINT for Android with 32 bytes in hex and colons between them.',
    );
  for (const name of ['CORS_ORIGINS', 'FORWARD_AUTH_ORIGINS'] as const)
    if (settings[name]?.some((origin) => originOf(origin) === undefined))
      faults.push(`${name} must be origins without a path, separated by commas, such as https://app.example.com.`);
  if (FORWARD_AUTH_ORIGINS.length > 0) {
    // The proxy's request names the page that the user opened, so only PUBLIC_URL tells where users sign in.
    if (PUBLIC_URL === undefined) faults.push('PUBLIC_URL must be set when FORWARD_AUTH_ORIGINS is.');
    if (TRUSTED_PROXIES?.length === 0)
      faults.push('TRUSTED_PROXIES must name the proxy when FORWARD_AUTH_ORIGINS is set.');
  }
  const forwardOrigins = originsOf([...FORWARD_AUTH_ORIGINS, PUBLIC_URL ?? '']);
  for (const text of FORWARD_AUTH_RULES) {
    const rule = parseForwardRule(text);
    if (rule === undefined)
      faults.push('FORWARD_AUTH_RULES must be such as https://app.example.com/admin=admins|ops, separated by commas.');
    else if (!forwardOrigins.has(rule.origin))
      faults.push('FORWARD_AUTH_RULES must be about PUBLIC_URL, or origins that FORWARD_AUTH_ORIGINS lists.');
    else if (rule.groups.every((group) => group === 'basic'))
      faults.push(
        'FORWARD_AUTH_RULES must name a group beside basic, such as https://dav.example.com=staff|basic. Its members may make tokens.',
      );
  }
  faults.push(...findHeaderFaults(FORWARD_AUTH_HEADERS, forwardOrigins));
  if (TRUSTED_PROXIES?.some((name) => name !== unixSockets && parseNetwork(name) === undefined))
    faults.push(
      'TRUSTED_PROXIES must be addresses, networks or unix, separated by commas, such as 127.0.0.1, 10.0.0.0/8.',
    );
  if (MAIL_URL !== undefined && parseMailUrl(MAIL_URL) === undefined)
    faults.push(
      'MAIL_URL must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, with special characters percent-encoded.',
    );
  if (MAIL_URL !== undefined && MAIL_FROM === undefined) faults.push('MAIL_FROM must be set when MAIL_URL is.');
  if (MAIL_FROM !== undefined && parseMailFrom(MAIL_FROM) === undefined)
    faults.push('MAIL_FROM must be an address, or a name and an address, such as Example <no-reply@example.com>.');
  if (SECURITY_CONTACT !== undefined && !isContact(SECURITY_CONTACT))
    faults.push(
      'SECURITY_CONTACT must be mailto: and an address, or an https address, such as mailto:security@example.com.',
    );
  if (OPERATOR_MAIL !== undefined && !isMailAddress(OPERATOR_MAIL))
    faults.push('OPERATOR_MAIL must be one address, such as operator@example.com.');
  for (const [name, part, example] of [
    ['CLIENT_ID_METADATA', 'host', 'any, or claude.ai, vscode.dev'],
    ['OIDC_PRIVATE_HOSTS', 'hostname', 'grafana.example.internal, 10.0.0.7'],
  ] as const)
    if (settings[name]?.some((host) => !isPart(part, host)))
      faults.push(`${name} must be hosts alone, separated by commas, such as ${example}.`);
  if (SIGN_UP_DOMAINS?.some((domain) => canonicalDomain(domain) === undefined))
    faults.push('SIGN_UP_DOMAINS must be domains, separated by commas, such as example.com, example.org.');
  if (ADMINISTRATORS?.some((address) => canonicalMailAddress(address.toLowerCase()) === undefined))
    faults.push('ADMINISTRATORS must be addresses, separated by commas, such as ann@example.com.');
  if (SCOPES?.some((scope) => !/^[a-z0-9][a-z0-9:._-]{0,62}$/.test(scope)))
    faults.push('SCOPES must be names of small letters, digits and :._-, separated by commas, such as reports:read.');
  if (ADMINISTRATORS?.length && USERS_TABLE !== undefined)
    faults.push(
      'ADMINISTRATORS does not work with USERS_TABLE: run ./bin/janua users groups EMAIL --add admins instead.',
    );
  if (METRICS_LISTEN !== undefined && parseListenAddress(METRICS_LISTEN) === undefined)
    faults.push('METRICS_LISTEN must be a host and a port, or a port alone, such as 127.0.0.1:9464.');
  if (THEME_FILE !== undefined && !isReadableFile(THEME_FILE)) faults.push('THEME_FILE: the file cannot be read.');
  faults.push(...findUpstreamFaults(settings.UPSTREAMS_FILE));
  return faults;
}

function demoFaults({ USERS_TABLE, WORKERS, HOST, PUBLIC_URL }: Settings): Fault[] {
  const unset = (names: string) => `Unset ${names}, or use \`janua serve\`.`;
  if (USERS_TABLE !== undefined)
    return [{ message: 'The demo has users of its own.', fix: unset('USERS_TABLE and USERS_COLUMNS') }];
  if (WORKERS > 1) return [{ message: 'The demo is one process.', fix: unset('WORKERS') }];
  if (isLoopbackHost(HOST) && isLoopbackHost(hostOf(PUBLIC_URL))) return [];
  const message = 'The demo has public passwords and listens on this machine only.';
  return [{ message, fix: unset('HOST and PUBLIC_URL') }];
}

function serveFaults(settings: Settings): Fault[] {
  const { THROTTLE, HOST, PUBLIC_URL, FORWARD_AUTH_ORIGINS, SIGN_UP, MAIL_URL, OPERATOR_MAIL, USERS_TABLE } = settings;
  const faults: Fault[] = [];
  const isAlone = isLoopbackHost(HOST);
  const allowsPlain = settings.ALLOW_PLAIN_HTTP === 'on';
  const publicFix = 'Set PUBLIC_URL to the https address that browsers use, such as https://auth.example.com.';
  if (THROTTLE === 'off' && !(isAlone && isLoopbackHost(hostOf(PUBLIC_URL))))
    faults.push({
      message: 'THROTTLE=off lets attackers guess passwords without a limit, and is for this machine alone.',
      fix: 'Unset it.',
    });
  if (SIGN_UP === 'on' && MAIL_URL === undefined)
    faults.push({
      message: 'SIGN_UP=on needs a mail server, because new users prove their address.',
      fix: 'Set MAIL_URL and MAIL_FROM, or unset SIGN_UP.',
    });
  if (OPERATOR_MAIL !== undefined && MAIL_URL === undefined)
    faults.push({
      message: 'OPERATOR_MAIL needs a mail server.',
      fix: 'Set MAIL_URL and MAIL_FROM, or unset OPERATOR_MAIL.',
    });
  if (SIGN_UP === 'on' && USERS_TABLE !== undefined)
    faults.push({
      message: 'SIGN_UP=on cannot work with USERS_TABLE, because Janua adds no users to a table that is not its own.',
      fix: 'Unset SIGN_UP.',
    });
  if (!isAlone && PUBLIC_URL === undefined)
    faults.push({ message: 'PUBLIC_URL must be set when HOST is reachable from other machines.', fix: publicFix });
  if (!isAlone && !allowsPlain && !(isHttps(settings) && settings.TRUSTED_PROXIES.length > 0))
    faults.push({
      message: 'HOST must be this machine alone, or a TLS proxy must be the only peer.',
      fix: 'Unset HOST, or set PUBLIC_URL to the https address, and TRUSTED_PROXIES to the addresses that the proxy connects from.',
    });
  if (PUBLIC_URL !== undefined && isPlainBeyond(PUBLIC_URL) && !allowsPlain)
    faults.push({
      message: 'PUBLIC_URL must be https, because passwords would cross the network in the clear.',
      fix: `${publicFix} ALLOW_PLAIN_HTTP=on overrides this.`,
    });
  if (FORWARD_AUTH_ORIGINS.some(isPlainBeyond) && !allowsPlain)
    faults.push({
      message: 'FORWARD_AUTH_ORIGINS must be https, because cookies would cross the network in the clear.',
      fix: 'ALLOW_PLAIN_HTTP=on overrides this.',
    });
  return faults;
}

/** Tells whether a text is only the host of an address, in its canonical spelling. With `host`, a port may follow. */
function isPart(part: 'host' | 'hostname', text: string): boolean {
  const plain = (host: string) => bareHost(host.toLowerCase());
  const address = `https://${isIPv6(text) ? `[${text}]` : text}`;
  return !text.includes('*') && URL.canParse(address) && plain(new URL(address)[part]) === plain(text);
}

/** @see https://www.rfc-editor.org/rfc/rfc9116#section-2.5.3 */
function isContact(text: string): boolean {
  const [, address] = /^mailto:(.*)$/s.exec(text) ?? [];
  if (address !== undefined) return isMailAddress(address);
  return /^https:\/\/[!-~]+$/.test(text) && URL.canParse(text);
}

/** Without PUBLIC_URL, browsers use this machine's own address. */
const hostOf = (url = 'http://localhost') => new URL(url).hostname;

export const isPlainBeyond = (url: string) => url.startsWith('http:') && !isLoopbackHost(hostOf(url));

/** A secret may be in the file that `NAME_FILE` names, hidden from programs that can read the environment (ASVS 13.3.1). */
const findFile = (name: string, { format }: SettingSchema, environment: NodeJS.ProcessEnv) =>
  format === 'password' ? environment[`${name}_FILE`] || undefined : undefined;

function readText(name: string, schema: SettingSchema, environment: NodeJS.ProcessEnv, faults: Faults): string {
  const text = environment[name]?.trim() ?? '';
  const file = findFile(name, schema, environment);
  if (file === undefined) return text;
  if (text !== '') faults.push({ message: `${name} and ${name}_FILE are both set.`, fix: 'Unset one.' });
  try {
    const content = readFileSync(file, 'utf8').trim();
    // An empty file does not mean the default, because another program may be writing the file.
    if (content === '') faults.push(`${name}_FILE: the file is empty.`);
    return content;
  } catch {
    faults.push(`${name}_FILE: the file cannot be read.`);
    return '';
  }
}

function isReadableFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function fromText(text: string, schema: SettingSchema): unknown {
  if (schema.type === 'integer') return /^\d+$/.test(text) ? Number(text) : text;
  if (schema.type === 'array') return text.split(',').map((item) => item.trim());
  return text;
}

function expectation({ type, minimum, maximum, maxLength, enum: values }: SettingSchema): string {
  if (type === 'integer') return `a whole number from ${minimum} to ${maximum}`;
  if (type === 'array') return 'a list of texts';
  if (values !== undefined) return values.length === 2 ? values.join(' or ') : `one of ${values.join(', ')}`;
  return `a text of 1 to ${maxLength ?? 'any number of'} characters`;
}
