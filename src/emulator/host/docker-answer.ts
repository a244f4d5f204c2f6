// Requests, answers and routes of the emulated Docker API: the forms that all routes share.
// Must not hold routes. Docker's own errors are a JSON object with `message`.
import type { DockerState } from './docker-state.ts';

export type ApiRequest = {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
};

/** `later`: the body comes when something happened. */
export type ApiAnswer = { status: number; type: string; text: string; later?: Promise<string> };

export type Route = {
  method: string;
  path: RegExp;
  answer: (state: DockerState, request: ApiRequest, match: string) => ApiAnswer;
};

/** A JSON answer. */
export function json(value: unknown, status = 200): ApiAnswer {
  return { status, type: 'application/json', text: `${JSON.stringify(value)}\n` };
}

/** An answer without body. */
export function empty(status = 204): ApiAnswer {
  return { status, type: 'text/plain', text: '' };
}

/** Docker's own form of an error. */
export function refusal(status: number, message: string): ApiAnswer {
  return json({ message }, status);
}

/** A record of strings out of a request's body. */
export function labelsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]));
}

/** A text out of a request's body; empty when it is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
