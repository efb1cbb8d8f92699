import { type Page, wordsFor } from '../../../web/page.ts';
import { view } from '../../../web/view.ts';
import type { ClaimPreview } from './preview-claims.ts';

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/clients/client-claims': ReturnType<typeof describeClaims>;
  }
}

interface ClaimsAnswer {
  readonly client_id: string;
  readonly name: string;
  readonly preview: ClaimPreview | null;
}

function describeClaims({ client_id, name, preview }: ClaimsAnswer, page: Page) {
  return {
    title: `${page.words.admin.clients.setClaims}: ${name}`,
    here: `/admin/clients/${client_id}`,
    preview: preview && describePreview(name, preview, page),
  };
}

function describePreview(application: string, { username, may_use, places, empty }: ClaimPreview, page: Page) {
  const { words, interpolate } = page;
  const { claims: texts } = words.admin.clients;
  return {
    heading: interpolate(texts.learns, { application, user: username }),
    barred: may_use ? undefined : texts.mayNotUse,
    places: Object.entries(places).map(([place, claims]) => ({
      title: wordsFor(texts.places, place),
      lines: Object.entries(claims).map(([claim, value]) => ({ claim, value: JSON.stringify(value) })),
    })),
    empty: empty.map(({ claim, reason }) => interpolate(texts.empty, { claim, reason: texts.reasons[reason] })),
  };
}

export const claimsView = view('capabilities/oidc/clients/client-claims', describeClaims);
