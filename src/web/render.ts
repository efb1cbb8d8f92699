import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import { languageNames } from '../ground/languages/languages.ts';
import { textsIn } from '../ground/languages/speech.ts';
import { adminPagesFor } from './admin-pages.ts';
import type { BareStyle } from './bare-style.ts';
import { bodyField } from './body-field.ts';
import type { FlowOptions } from './flow-options.ts';
import type { RenderPage } from './hooks/format.ts';
import { confirmPath, homePath, pathWithNext } from './next.ts';
import { isOpened, originForm, rawPath, withKept } from './request-target.ts';
import type { Request } from './types.ts';

/** Template names start here: `web/layout` is `src/web/layout.eta`. */
const templates = fileURLToPath(new URL('..', import.meta.url));

/**
 * Renders pages. Besides its model, a template gets:
 * - `words`, `say`, `plural`, `utc`, `number`, `language` and `languages`
 * - `site`, and the `adminPages` that the user may open
 * - `signedInAs`: the username, if a user is signed in
 * - `state`: from the query. It picks a message
 * - `unsent`: whether a form was not sent, because its user had to prove their identity
 * - `confirm`: the address of that proof, if a page with a list shows its forms only after it
 * - `withNext`: adds a `next` to a path
 * - `path` of the page, unless the model has it
 * - `frame` around the page, and the address `home`
 */
export function createRender(
  { appName, features, publicOrigins }: Pick<FlowOptions, 'appName' | 'features' | 'publicOrigins'>,
  { style }: BareStyle,
): RenderPage {
  const eta = new Eta({ views: templates, cache: true, autoTrim: false });
  const site = { name: appName, features };
  return (view, model, request) => {
    const { shownByOtherHost, freshProof } = request.routeOptions.config ?? {};
    const [origin = ''] = publicOrigins;
    return eta.render(view, {
      path: pathOf(request),
      signedInAs: request.signedIn?.user.username,
      state: bodyField(request.query, 'state'),
      unsent: freshProof !== undefined && bodyField(request.query, 'unsent') === '1',
      confirm: freshProof?.showsList && !request.proved ? confirmPath(originForm(request.url)) : undefined,
      ...model,
      ...textsIn(request.language),
      withNext: pathWithNext,
      languages: languageNames,
      adminPages: adminPagesFor(request.signedIn?.scopes ?? []),
      site,
      ...(shownByOtherHost
        ? { frame: '/web/bare', home: origin + homePath, style }
        : { frame: '/web/layout', home: homePath }),
    });
  };
}

/** The address at which a browser gets the page by GET. For an unknown address, a page for administrators or the home page. */
function pathOf({ method, url, query, body, routeOptions, signedIn }: Request): string {
  if (routeOptions.url === undefined)
    return (rawPath(url).startsWith('/admin/') && adminPagesFor(signedIn?.scopes ?? [])[0]?.[0]) || homePath;
  if (isOpened({ method })) return withKept(rawPath(url), query);
  return withKept(routeOptions.config.openedAt ?? rawPath(url), body);
}
