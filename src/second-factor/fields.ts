import { json, object } from '../web/openapi/responses.ts';
import { drawQrCode } from './qr.ts';

/** What an authenticator app is set up with. */
export const appSecret = json(
  'The secret for the app',
  object('An enrolment that waits for its code', {
    secret: { type: 'string', description: 'Base32' },
    uri: { type: 'string', description: 'For a QR code' },
  }),
  { secret: 'JBSWY3DPEHPK3PXP…', uri: 'otpauth://totp/…' },
);

export const codesSchema = { type: 'array', items: { type: 'string' }, description: 'Only where they are new' };

/** The page with the secret of an app, and the form for its code. Programs get what `appSecret` names. */
export const withQrCode = async (enrolment: { secret: string; uri: string }, values: Record<string, string> = {}) => ({
  ...enrolment,
  qr: await drawQrCode(enrolment.uri),
  values,
  errors: {},
});
