import type { FastifyRequest } from 'fastify';
import { isLanguage, type Language, preferredLanguage } from '../../ground/languages/languages.ts';
import { hintOf } from '../../ground/text/page-hints.ts';
import { languageCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

type FindLanguage = (request: Pick<FastifyRequest, 'headers' | 'signedIn' | 'url'>) => Language;

/**
 * Finds the language of a page: that of the account, else of the browser's cookie, else of the application that waits for the login, else
 * of `Accept-Language`, else of the site.
 */
export function createFindLanguage({ https, language: usual }: Pick<FlowOptions, 'https' | 'language'>): FindLanguage {
  const cookie = languageCookie(https);
  return ({ headers, signedIn, url }) => {
    const chosen = [signedIn?.user.language, cookie.read(headers.cookie)].find(isLanguage);
    const asked = preferredLanguage(hintOf(url, 'ui_locales')?.replaceAll(' ', ','));
    return chosen ?? asked ?? preferredLanguage(headers['accept-language']) ?? usual;
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
