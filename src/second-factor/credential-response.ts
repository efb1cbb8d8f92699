import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';

/** Longest fields that an authenticator has a use for, in characters. They bound what is decoded before any proof. */
const longest = {
  // 1,023 bytes (WebAuthn 4, credential id).
  id: 1364,
  clientDataJSON: 4096,
  authenticatorData: 1024,
  // RSA with 8,192 bits.
  signature: 1366,
  // 64 bytes (WebAuthn 5.4.3).
  userHandle: 86,
  attestationObject: 16_384,
};

const transports = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const;

type Fields = Readonly<Record<string, unknown>>;

/** A response of the right shape, and the challenge that it says it answers. Nothing is proven yet. */
interface Read<Response> {
  readonly response: Response;
  readonly challenge: unknown;
}

/** Reads the JSON of a new credential, as an object or as its text. Undefined for anything else. */
export function readRegistration(sent: unknown): Read<RegistrationResponseJSON> | undefined {
  const read = readCredential(sent);
  const attestationObject = readBase64(read?.fields, 'attestationObject');
  if (read === undefined || attestationObject === undefined) return undefined;
  const { head, clientDataJSON, challenge } = read;
  const named = Array.isArray(read.fields.transports) ? read.fields.transports : [];
  const known = transports.filter((transport) => named.includes(transport));
  return { response: { ...head, response: { clientDataJSON, attestationObject, transports: known } }, challenge };
}

/** Reads the JSON of a use of a credential, in the same way. */
export function readAssertion(sent: unknown): Read<AuthenticationResponseJSON> | undefined {
  const read = readCredential(sent);
  const authenticatorData = readBase64(read?.fields, 'authenticatorData');
  const signature = readBase64(read?.fields, 'signature');
  if (read === undefined || authenticatorData === undefined || signature === undefined) return undefined;
  const { head, clientDataJSON, challenge } = read;
  const userHandle = readBase64(read.fields, 'userHandle');
  const answer = { clientDataJSON, authenticatorData, signature, ...(userHandle !== undefined && { userHandle }) };
  return { response: { ...head, response: answer }, challenge };
}

/** What both have. */
function readCredential(sent: unknown) {
  const credential = toFields(typeof sent === 'string' ? parse(sent) : sent);
  const fields = toFields(credential.response);
  const id = readBase64(credential, 'id');
  const clientDataJSON = readBase64(fields, 'clientDataJSON');
  if (id === undefined || clientDataJSON === undefined || credential.type !== 'public-key') return undefined;
  const { challenge, crossOrigin } = toFields(parse(Buffer.from(clientDataJSON, 'base64url').toString()));
  // No page of ours works in a frame.
  if (crossOrigin === true) return undefined;
  const head = { id, rawId: id, type: 'public-key' as const, clientExtensionResults: {} };
  return { head, fields, clientDataJSON, challenge };
}

const toFields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {});

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readBase64(fields: Fields = {}, name: keyof typeof longest): string | undefined {
  const value = fields[name];
  return typeof value === 'string' && value.length <= longest[name] && /^[\w-]+$/.test(value) ? value : undefined;
}
