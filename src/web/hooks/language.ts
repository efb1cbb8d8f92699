import type { FastifyRequest } from 'fastify';
import { isLanguage, type Language, preferredLanguage } from '../../languages/languages.ts';
import { languageCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

type FindLanguage = (request: Pick<FastifyRequest, 'headers' | 'signedIn'>) => Language;

/** The language of a page: the one of the account, else of the browser's cookie, else of `Accept-Language`, else of the site. */
export function createFindLanguage({ https, language: usual }: Pick<FlowOptions, 'https' | 'language'>): FindLanguage {
  const cookie = languageCookie(https);
  return ({ headers, signedIn }) => {
    const chosen = [signedIn?.user.language, cookie.read(headers.cookie)].find(isLanguage);
    return chosen ?? preferredLanguage(headers['accept-language']) ?? usual;
  };
}

/** Adds `language` to requests. Only pages need it: it is computed when read. */
export function decorateLanguage(app: App, findLanguage: FindLanguage): void {
  app.decorateRequest('language', {
    getter() {
      return findLanguage(this);
    },
  });
}
