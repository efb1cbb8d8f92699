/** Measurements of an answered request. The client chooses none of them except the method. */
export interface AnsweredRequest {
  readonly method: string;
  /** The pattern of the route, never the path of the request. Undefined if no route matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly format: 'html' | 'json';
  readonly milliseconds: number;
}

export type AbortedRequest = Pick<AnsweredRequest, 'method' | 'route' | 'format'>;

export interface RequestMetrics {
  observeRequest(request: AnsweredRequest): void;
  observeAbort(request: AbortedRequest): void;
}

/** Traces requests. One object identifies a request from start to end. */
export interface RequestTraces {
  /** Gives the id of the trace. @param parent the headers of a trusted sender; without them a new trace begins */
  begin(request: object, parent: TraceParent | undefined): string;
  /** Runs the rest of the request. Calls inside `work` belong to its trace. */
  within(request: object, work: () => void): void;
  /** @param answer the measurements; `state` is `aborted` if the client disconnected before the response */
  end(request: object, answer: AnsweredRequest, state: 'answered' | 'aborted'): void;
}

export interface TraceParent {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}
