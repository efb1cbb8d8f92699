import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type Answer, type LoginPage, Refusal } from '../../access/refusal.ts';
import type { Audit } from '../../audit/audit.ts';
import { Unavailable } from '../../faults/unavailable.ts';
import { bodyField } from '../body-field.ts';
import { type FailedLogins, failedLoginOf } from '../failed-login.ts';
import { failedMessage, loginPath, type ShowLogin, shownMessage } from '../login-page.ts';
import type { Pages } from '../pages.ts';
import { type Problem, problem } from '../problem.ts';
import { requestIdHeader } from '../request-id.ts';
import { decodedPath, originForm } from '../request-target.ts';
import { acceptedBodyTypes } from './bodies.ts';
import { formatOf } from './format.ts';
import { measureFrameworkError, type RequestMeasures } from './measures.ts';
import type { SecurityHeaders } from './security-headers.ts';

/** Answers an error in the requested format. */
export type AnswerProblem = (error: Error, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Records refusals that no rule with more details has recorded. */
export type RefusalAudit = Audit<NonNullable<Answer['event']>['kind']>;

/** Answers all errors. @param audit throws while the stores are not ready */
export function createProblems(presentation: Presentation, audit: () => RefusalAudit): AnswerProblem {
  return async (error, request, reply) => {
    const event = error instanceof Refusal ? error.answer.event : undefined;
    // The refusal stands even if it cannot be recorded. The log still has it.
    if (event !== undefined)
      await Promise.try(() => audit().record({ ...event, caller: request.caller })).catch(() => {});
    return answer(error, request, reply, presentation);
  };
}

/** Answers errors that Fastify finds before routing, such as a broken escape in the address. */
export function answerFrameworkError(presentation: Presentation, headers: SecurityHeaders, measures: RequestMeasures) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    // Fastify's plain request, without our decorations.
    Object.assign(request, { format: formatOf(request) });
    measureFrameworkError(measures, request, reply);
    reply.headers({ ...headers, [requestIdHeader]: request.id, vary: 'x-expected-format' });
    answer(error, request, reply, presentation);
  };
}

/** What the pages need. */
export interface Presentation {
  readonly pages: Pages;
  readonly failedLogins: FailedLogins;
  readonly showLogin: ShowLogin;
}

function answer(
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
  { pages, failedLogins, showLogin }: Presentation,
): FastifyReply {
  const problem = describe(error, request);
  reply.code(problem.status);
  addHeaders(error, request, reply);
  if (request.format === 'json')
    return reply.type('application/json; charset=utf-8').serializer(JSON.stringify).send(problem);
  if (error instanceof Refusal) {
    const { loginPage } = error.answer;
    if (loginPage?.inPlace) {
      const shown = showLogin(
        shownMessage(loginPage.message, error.retryAfterSeconds),
        nextOf(loginPage, request),
        failedLoginOf(request),
      );
      return sendPage(reply, pages.render('sign-in/log-in', shown));
    }
    if (loginPage !== undefined) {
      if (loginPage.message === failedMessage) reply.header('set-cookie', failedLogins.cookie(failedLoginOf(request)));
      return reply.redirect(loginPath(loginPage.message, nextOf(loginPage, request)), 303);
    }
  }
  // The user can quote the id when asking for help. A missing page needs no help.
  const quotable = error instanceof Refusal || problem.status >= 500;
  return sendPage(reply, pages.render('web/problem', quotable ? problem : { ...problem, request_id: undefined }));
}

/** Where the login leads: the `next` of the form, or the requested page. */
function nextOf({ next }: LoginPage, { body, method, url }: FastifyRequest): unknown {
  if (next === 'sent') return bodyField(body, 'next');
  // Only GET and HEAD can be repeated by following a link. The home page is the default target anyway.
  const mayBeAskedAgain = next === 'asked-for' && (method === 'GET' || method === 'HEAD');
  return mayBeAskedAgain && decodedPath(url) !== '/auth/home' ? originForm(url) : undefined;
}

function sendPage(reply: FastifyReply, page: string): FastifyReply {
  return reply.type('text/html; charset=utf-8').serializer(String).send(page);
}

function describe(error: FastifyError | Error, request: FastifyRequest): Problem {
  if (error instanceof Refusal) {
    const { status, detail, error: code } = error.answer;
    return problem(request.id, status, detail, code);
  }
  if (error instanceof Unavailable) {
    // At `debug`, because one line per request would bury the rest. The check that found the part unavailable has logged it once.
    request.log.debug({ err: error, part: error.part }, 'unavailable');
    return problem(request.id, 503);
  }
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500;
  if (status >= 400 && status < 500) {
    // A validation error names the field and the rule, never the value.
    return problem(
      request.id,
      status,
      'validation' in error && error.validation !== undefined ? error.message : undefined,
    );
  }
  request.log.error({ err: error }, 'unexpected error');
  return problem(request.id, 500);
}

function addHeaders(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof Unavailable || (error instanceof Refusal && error.retryAfterSeconds !== undefined)) {
    reply.header('retry-after', String(error.retryAfterSeconds));
  }
  if (reply.statusCode === 415) reply.header('accept', acceptedBodyTypes.join(', '));
  if (!(error instanceof Refusal && error.answer.challenges)) return;
  const { accessToken, cookie } = request.presented;
  if (request.format === 'json') {
    reply.header(
      'www-authenticate',
      `Bearer realm="janua"${accessToken === undefined ? '' : ', error="invalid_token"'}`,
    );
  } else if (cookie !== undefined && accessToken === undefined) {
    // JSON responses never clear it: a late one could erase a cookie that was just set.
    reply.clearSessionCookie();
  }
}
