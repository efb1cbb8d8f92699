import { json, listOf, object, text } from '../../web/openapi/responses.ts';
import { drawQrCode } from './qr.ts';

const [secret, uri] = [text('JBSWY3DPEHPK3PXP…', 'Base32'), text('otpauth://totp/…', 'For a QR code')];
export const appSecret = json(
  'The secret for the app',
  object('An enrolment that waits for its code', { secret, uri }),
);

export const codesSchema = listOf(text('K7QD-…'), 'Only where they are new');

/** Adds a QR code to the secret of an app. */
export const drawSecret = async (enrolment: { secret: string; uri: string }) => ({
  ...enrolment,
  qr: await drawQrCode(enrolment.uri),
});

/** The model of the page with the secret of an app and the form for its code. Programs get only the fields of `appSecret`. */
export const withQrCode = async (
  enrolment: { secret: string; uri: string },
  values: Readonly<Record<string, string | undefined>> = {},
) => ({
  ...(await drawSecret(enrolment)),
  values,
  errors: {},
});
