import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { refusalOf } from '../../core/access/change-refusals.ts';
import { type Answer, type FieldFault, InvalidFields, Refusal, RefusedField } from '../../core/access/refusal.ts';
import { insufficientScope } from '../../core/access/scope.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { textsIn } from '../../ground/languages/speech.ts';
import { bodyField } from '../body-field.ts';
import { pendingCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import { failedLoginOf, isAboutLogin, type LoginPage, loginPath, loginView } from '../login-page.ts';
import { confirmPath, homePath, pathWithNext, secondFactorPath } from '../next.ts';
import { oauthEndpoint, type Problem, problem } from '../problem.ts';
import { problemView } from '../problem-page.ts';
import { decodedPath, isOpened, originForm, withKept } from '../request-target.ts';
import type { View } from '../view.ts';
import { acceptedBodyTypes } from './bodies.ts';
import { describePage, type RenderPage } from './format.ts';

export type AnswerProblem = (error: Error, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Answers all errors, and records the refusals that no rule with more details has recorded. */
export function createProblems(
  { parts, https }: Pick<FlowOptions, 'parts' | 'https'>,
  render: RenderPage,
  loginPage: LoginPage,
): AnswerProblem {
  const pendingLogin = pendingCookie(https);

  /** Undefined also if a store fails, because the page reports another fault. */
  const findSignedIn = (request: FastifyRequest) =>
    Promise.try(() => parts().access.findSignedIn(request.presented)).catch(() => undefined);

  function sendPage<Answer extends object>(
    request: FastifyRequest,
    reply: FastifyReply,
    view: View<Answer>,
    answer: Answer,
  ): FastifyReply {
    describePage(request, reply);
    return reply
      .type('text/html; charset=utf-8')
      .serializer(String)
      .send(render(view, answer, request));
  }

  return async (thrown, request, reply) => {
    const error = refusalOf(thrown) ?? thrown;
    const refusal = error instanceof Refusal ? error : undefined;
    const { event, loginPage: login, freshProof, page, again } = refusal?.answer ?? {};
    const pending = refusal?.pending;
    // `parts` throws until the stores are ready.
    if (event !== undefined)
      await Promise.try(() =>
        parts().audit.recordIfPossible({ ...event, caller: request.caller, userId: request.signedIn?.user.id }),
      ).catch(() => {});
    const problem = describe(error, request);
    reply.code(problem.status);
    addHeaders(error, request, reply);
    if (request.format === 'json')
      return reply
        .type(jsonTypeOf(request, reply))
        .serializer(JSON.stringify)
        .send(pending ? { ...problem, mfa_token: pending.token, methods: pending.methods } : problem);
    if (pending !== undefined) {
      reply.header('set-cookie', pendingLogin.header(pending.token));
      return reply.redirect(pathWithNext(secondFactorPath, nextOf({ next: 'sent' }, request, refusal)), 303);
    }
    if (page !== undefined) {
      const next = nextOf(page, request, refusal);
      // The body of the request is lost, so the browser continues at the page that sends it.
      const { openedAt } = request.routeOptions.config;
      const asked = refusal?.next ?? next ?? (openedAt && findNextAfterProof(request));
      return reply.redirect(pathWithNext(page.path, page.next === 'asked-for' ? asked : next), 303);
    }
    if (freshProof !== undefined) return reply.redirect(confirmPath(findNextAfterProof(request)), 303);
    if (login !== undefined) {
      const { message } = login;
      const next = nextOf(login, request, refusal);
      const failed = failedLoginOf(request);
      if (login.inPlace)
        return sendPage(
          request,
          reply,
          loginView,
          await loginPage.show({
            message,
            next,
            failed,
            waitSeconds: refusal?.retryAfterSeconds,
            credential: bodyField(request.body, 'credential'),
          }),
        );
      if (isAboutLogin(message)) reply.header('set-cookie', loginPage.failureCookie(failed));
      return reply.redirect(loginPath(message, next), 303);
    }
    // The user can quote the id when asking for help. A missing page needs no help.
    const requestId = refusal !== undefined || problem.status !== 404 ? request.id : undefined;
    // Only a signed-in user gets the menu. To find the user needs the stores, which may have failed at a status of 500 or more.
    if (problem.status < 500) request.signedIn ??= await findSignedIn(request);
    return sendPage(request, reply, problemView, {
      signedIn: request.signedIn !== undefined,
      status: problem.status,
      refusal: refusal?.answer.name,
      again,
      next: nextOf({ next: 'sent' }, request, refusal),
      scope: refusal?.answer.scope,
      request_id: requestId,
    });
  };
}

/** Chooses the media type of a problem in JSON: that of RFC 9457 for a client whose `Accept` names it. The body is the same. */
function jsonTypeOf({ headers, routeOptions }: FastifyRequest, reply: FastifyReply): string {
  const usual = 'application/json; charset=utf-8';
  if (oauthEndpoint.test(routeOptions?.url ?? '')) return usual;
  reply.header('vary', [reply.getHeader('vary'), 'Accept'].filter(Boolean).join(', '));
  const types = (headers.accept ?? '').toLowerCase().split(',');
  const isNamed = types.some((type) => /^\s*application\/problem\+json\s*(?:;(?!\s*q=0(?:\.0*)?\s*$)|$)/.test(type));
  return isNamed ? 'application/problem+json; charset=utf-8' : usual;
}

/**
 * Finds the page to continue at after a proof of identity. The fields of a sent form are lost, so its page says that nothing was done
 * (`unsent=1`).
 */
function findNextAfterProof(request: FastifyRequest): string {
  // A form continues at the address of its page. `openedAt` of a file to download is a page: a browser that saves a file would keep showing
  // the page of the proof.
  const { openedAt = originForm(request.url) } = request.routeOptions.config;
  return isOpened(request) ? openedAt : withKept(openedAt, request.body, { unsent: '1' });
}

function nextOf(
  { next }: Pick<NonNullable<Answer['loginPage']>, 'next'>,
  { body, query, method, url }: FastifyRequest,
  refusal: Refusal | undefined,
): unknown {
  if (next === 'sent') return refusal?.next ?? bodyField(body, 'next') ?? bodyField(query, 'next');
  if (next !== 'asked-for') return next;
  // The home page is the default target anyway.
  return isOpened({ method }) && decodedPath(url) !== homePath ? originForm(url) : undefined;
}

function describe(error: FastifyError | Error, request: FastifyRequest): Problem & { readonly errors?: object[] } {
  if (error instanceof Refusal) return problem(request.id, error.answer);
  if (error instanceof Unavailable) {
    // At `debug`, because one line per request would bury the rest. The check that found the part unavailable has logged it once.
    request.log.debug({ err: error, part: error.part }, 'unavailable');
    return problem(request.id, { status: 503 });
  }
  if (error instanceof RefusedField) return problem(request.id, error.answer);
  if (error instanceof InvalidFields)
    return { ...problem(request.id, { status: 422 }), errors: error.faults.map(describeFault) };
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500;
  if (status >= 400 && status < 500) return problem(request.id, { status });
  request.log.error({ err: error }, 'unexpected error');
  return problem(request.id, { status: 500 });
}

function describeFault({ field, code, values }: FieldFault) {
  const { interpolate, words } = textsIn('en');
  return { field, detail: interpolate(words.fields[code], values) };
}

function addHeaders(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof Unavailable || (error instanceof Refusal && error.retryAfterSeconds !== undefined)) {
    reply.header('retry-after', String(error.retryAfterSeconds));
  }
  if (reply.statusCode === 415) reply.header('accept', acceptedBodyTypes.join(', '));
  if (!(error instanceof Refusal)) return;
  const { status, freshProof, error: code, scope, challenge } = error.answer;
  if (challenge !== undefined) return void reply.header('www-authenticate', challenge);
  const lacksScope = code === insufficientScope.error;
  if (status !== 401 && !lacksScope) return;
  const { accessToken, cookie } = request.presented;
  if (request.format === 'json') {
    const { maxAgeSeconds: age, acrValues: acr } = freshProof ?? {};
    const wanted = `${acr ? `, acr_values="${acr}"` : ''}${age === undefined ? '' : `, max_age=${age}`}${scope ? `, scope="${scope}"` : ''}`;
    const invalid = accessToken === undefined ? '' : ', error="invalid_token"';
    const reason = freshProof === undefined && !lacksScope ? invalid : `, error="${code}"${wanted}`;
    reply.header('www-authenticate', `Bearer realm="janua"${reason}`);
  } else if (status === 401 && cookie !== undefined && accessToken === undefined && freshProof === undefined) {
    // JSON responses never clear the cookie: a late response could erase one that was just set.
    reply.clearSessionCookie();
  }
}
