import { fileURLToPath } from 'node:url';
import { Eta } from 'eta';
import type { BareStyle } from './bare-style.ts';
import type { FlowOptions } from './flow-options.ts';
import type { RenderPage } from './hooks/format.ts';
import { createPage } from './page.ts';

/** Template names start here: `web/layout` is `src/web/layout.eta`. */
const templates = fileURLToPath(new URL('..', import.meta.url));

/** Renders pages. Besides its model, a template gets the members of `Page`. */
export function createRender(
  { appName: name, features, publicOrigins }: Pick<FlowOptions, 'appName' | 'features' | 'publicOrigins'>,
  { style }: BareStyle,
): RenderPage {
  const eta = new Eta({ views: templates, cache: true, autoTrim: false });
  return ({ template, describe }, answer, request) => {
    // If the system chooses the port, there is no origin until the app listens.
    const [origin = ''] = publicOrigins;
    const page = createPage({ name, features, origin, style }, request, answer);
    return eta.render(template, { ...describe(answer as never, page), ...page });
  };
}
