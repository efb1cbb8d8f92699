import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import { speak } from '../languages/speech.ts';
import { bodyField } from './body-field.ts';
import type { RenderPage } from './hooks/format.ts';
import { originForm } from './request-target.ts';
import type { Request } from './types.ts';

/** Template names start here: `account/me` is `src/account/me.eta`. */
const templates = fileURLToPath(new URL('..', import.meta.url));

/** Besides the model, a template gets `words`, `say`, `plural`, `date`, `dateTime` and `language`, the `path` of the page, and `site`. */
export function createRender({ appName }: { readonly appName: string }): RenderPage {
  const eta = new Eta({ views: templates, cache: true, autoTrim: false });
  const site = { name: appName };
  return (view, model, request) =>
    eta.render(view, { ...model, ...speak(request.language), path: pathOf(request), site });
}

/** Where a browser gets the page by GET, with the token that a form has sent in its body. */
function pathOf({ method, url, body, routeOptions }: Request): string {
  if (method === 'GET' || method === 'HEAD') return originForm(url);
  const token = bodyField(body, 'token');
  const path = routeOptions.config.openedAt ?? originForm(url);
  return typeof token === 'string' ? `${path}?token=${encodeURIComponent(token)}` : path;
}
