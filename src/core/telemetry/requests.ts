/** Measurements of an answered request. No text in them comes from the client, except the method. */
export interface AnsweredRequest {
  readonly method: string;
  /** The pattern of the route, never the path of the request. Undefined if no route matched. */
  readonly route: string | undefined;
  readonly status: number;
  readonly format: 'html' | 'json';
  readonly milliseconds: number;
}
