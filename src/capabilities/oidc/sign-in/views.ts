import { type ModelOf, type Page, wordsFor } from '../../../web/page.ts';
import { view } from '../../../web/view.ts';
import type { ShownApplication } from '../clients/shown-application.ts';
import type { RefusedApplication } from './access-barriers.ts';

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/sign-in/device': ReturnType<typeof describeDevice>;
    'capabilities/oidc/sign-in/step': ReturnType<typeof describeStep>;
  }
  interface Partials {
    'capabilities/oidc/sign-in/application': ReturnType<typeof applicationOf>;
    'capabilities/oidc/sign-in/consent': ReturnType<typeof consentOf> & Page;
    'capabilities/oidc/sign-in/refused': ReturnType<typeof refusedOf> & Page;
    'capabilities/oidc/sign-in/requested': ReturnType<typeof requestedOf>;
    'capabilities/oidc/sign-in/select-account': ReturnType<typeof selectAccountOf> & Page;
  }
}

interface DeviceRequest {
  readonly asked_at?: string;
  readonly asked_from?: string | null;
}

function applicationOf(shown: ShownApplication, page: Page, { asked_at, asked_from }: DeviceRequest = {}) {
  const { oidc, account } = page.words;
  const { consent, device } = oidc;
  const { documentHost, name, host, isMixed, picture } = shown;
  return {
    ...{ words: { consent, device, account }, name, host, isMixed, documentHost, asked_from },
    // The first letter of a stranger's host would look like a picture that the operator chose.
    picture: documentHost === undefined ? page.pictureOf(name, picture) : undefined,
    asker: documentHost ?? consent.byOperator,
    nameLabel: documentHost ? consent.ownName : consent.name,
    askedAt: asked_at ? page.timeOf('{time}', asked_at) : undefined,
    signedInAs: page.signedInAs && page.addressOf(page.signedInAs),
  };
}

function requestedOf({ scopes, claims, resources, lasts }: ShownApplication, page: Page) {
  const { consent } = page.words.oidc;
  return {
    ...{ words: consent, lasts, scopes: scopes.map((scope) => wordsFor(page.words.applications.scopes, scope)) },
    claims: claims.length > 0 ? page.interpolate(consent.claims, { names: claims.join(', ') }) : undefined,
    resources: resources.map(({ address, scopes: asked }) =>
      page.interpolate(consent.resource, { address, scopes: asked.join(', ') }),
    ),
  };
}

function refusedOf({ name, account, reason }: RefusedApplication, page: Page, request_id: string, isDevice = false) {
  const { words, interpolate } = page;
  const { heading, back } = words.oidc.refused;
  return {
    ...{ name, account, isDevice, request_id, reason: wordsFor(words.refusals, reason) },
    heading: interpolate(heading, { application: name }),
    back: interpolate(back, { application: name }),
  };
}

interface DeviceAnswer extends DeviceRequest {
  readonly userCode?: string;
  readonly application?: ShownApplication;
  readonly refused?: RefusedApplication;
  readonly request_id?: string;
  /** True if no device waits for the typed code. */
  readonly isUnknown?: boolean;
}

function describeDevice({ application, userCode = '', refused, request_id = '', ...answer }: DeviceAnswer, page: Page) {
  const { isUnknown } = answer;
  return {
    refused: refused && { ...page, ...refusedOf(refused, page, request_id, true) },
    asked: application && {
      ...{ userCode, application: applicationOf(application, page, answer) },
      requested: requestedOf(application, page),
    },
    message: page.messageIn(page.words.oidc.device.messages),
    isUnknown,
  };
}

interface StepAnswer {
  readonly application?: ShownApplication;
  readonly account?: { readonly username: string; readonly name: string };
  readonly refused?: RefusedApplication;
  /** The version of the application that the user sees. */
  readonly shown?: string;
  readonly request_id: string;
}

interface Step {
  readonly selectAccount?: ModelOf<'capabilities/oidc/sign-in/select-account'>;
  readonly consent?: ModelOf<'capabilities/oidc/sign-in/consent'>;
  readonly refused?: ModelOf<'capabilities/oidc/sign-in/refused'>;
}

function describeStep({ application, account, refused, shown = '', request_id }: StepAnswer, page: Page): Step {
  if (refused !== undefined) return { refused: { ...page, ...refusedOf(refused, page, request_id) } };
  if (application === undefined) return {};
  if (account !== undefined) return { selectAccount: { ...page, ...selectAccountOf(application, account, page) } };
  return { consent: { ...page, ...consentOf(application, shown, page) } };
}

function selectAccountOf(
  { documentHost, name }: ShownApplication,
  account: NonNullable<StepAnswer['account']>,
  { words, interpolate, addressOf }: Page,
) {
  const { lead, continueAs } = words.oidc.selectAccount;
  return {
    lead: interpolate(lead, { application: documentHost ?? name }),
    continueAs: interpolate(continueAs, { name: account.name }),
    address: account.username === account.name ? undefined : addressOf(account.username),
  };
}

const consentOf = (application: ShownApplication, shown: string, page: Page) => ({
  ...{ shown, isNative: application.isNative, application: applicationOf(application, page) },
  requested: requestedOf(application, page),
  heading: page.interpolate(page.words.oidc.consent.heading, { name: application.documentHost ?? application.name }),
});

export const deviceView = view('capabilities/oidc/sign-in/device', describeDevice);
export const stepView = view('capabilities/oidc/sign-in/step', describeStep);
