import type { Page } from '../../../web/page.ts';
import { view } from '../../../web/view.ts';
import type { describeClient } from '../clients/describe-client.ts';

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/pictures/picture': ReturnType<typeof describePicture>;
  }
}

const describePicture = ({ client_id, name, picture }: ReturnType<typeof describeClient>, page: Page) => ({
  title: `${page.words.admin.clients.picture}: ${name}`,
  here: `/admin/clients/${client_id}`,
  picture: page.pictureOf(name, picture),
  error: page.errorOf('picture'),
  isRemovable: picture !== null,
});

export const pictureView = view('capabilities/oidc/pictures/picture', describePicture);
