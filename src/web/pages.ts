import { Eta } from 'eta';

export type RenderPage = ReturnType<typeof createPages>;

/** @param directory of the templates; @param site what all templates may show */
export function createPages(directory: string, site: { name: string }) {
  const eta = new Eta({ views: directory, cache: true, autoTrim: false });
  /** Renders a template with a model. Every value is escaped. */
  return (view: string, model: object): string => eta.render(view, { ...model, site });
}
