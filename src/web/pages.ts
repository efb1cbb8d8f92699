import { Eta } from 'eta';

export interface Pages {
  /** The page that a template makes of a model; every value is escaped. */
  render(view: string, model: object): string;
}

/** @param directory where the templates are; @param site what all of them may show */
export function createPages(directory: string, site: { name: string }): Pages {
  const eta = new Eta({ views: directory, cache: true, autoTrim: false });
  return {
    render: (view, model) => eta.render(view, { ...model, site }),
  };
}
