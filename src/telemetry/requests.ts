/** What is measured of a request that was answered. Nothing here is of the client's choice but the method. */
export interface AnsweredRequest {
  readonly method: string;
  /** The pattern of its route, never the path as it was sent; undefined where there is no such route. */
  readonly route: string | undefined;
  readonly status: number;
  readonly format: 'html' | 'json';
  readonly milliseconds: number;
}

/** Counts requests. */
export interface RequestMetrics {
  observeRequest(request: AnsweredRequest): void;
  /** Of one whose client went away before it was answered. */
  observeAbort(request: Pick<AnsweredRequest, 'method' | 'route' | 'format'>): void;
}

/** Follows requests. Each is named by an object of its own, from its start to its end. */
export interface RequestTraces {
  /**
   * Begins the trace of a request, and gives its id.
   * @param parent `traceparent` and `tracestate` of one whose word counts; without them a new trace begins
   */
  begin(request: object, parent: TraceParent | undefined): string;
  /** Runs the rest of the request, so that what is called in it is seen as its part. */
  within(request: object, work: () => void): void;
  /** @param answer undefined where the client went away before it was answered */
  end(request: object, answer: AnsweredRequest, state: 'answered' | 'aborted'): void;
}

/** The headers of W3C Trace Context. */
export interface TraceParent {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}
