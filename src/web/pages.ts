import { Eta } from 'eta';

export interface Pages {
  /** Renders a template with a model. Every value is escaped. */
  render(view: string, model: object): string;
}

/** @param directory of the templates; @param site what all templates may show */
export function createPages(directory: string, site: { name: string }): Pages {
  const eta = new Eta({ views: directory, cache: true, autoTrim: false });
  return {
    render: (view, model) => eta.render(view, { ...model, site }),
  };
}
