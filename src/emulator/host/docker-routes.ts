// The part of the Docker Engine API that gitlab-runner's life on a host and hostler's looks at it need.
// A route that is not here answers 501 and says so; Docker's own errors keep their status.
import { type ApiAnswer, type ApiRequest, refusal } from './docker-answer.ts';
import { containerRoutes } from './docker-container-routes.ts';
import { otherRoutes } from './docker-other-routes.ts';
import type { DockerState } from './docker-state.ts';

/** Answers one request of the API, path without its version. */
export function answerDocker(state: DockerState, request: ApiRequest): ApiAnswer {
  for (const route of [...containerRoutes, ...otherRoutes]) {
    const match = route.method === request.method ? route.path.exec(request.path) : null;
    if (match !== null) return route.answer(state, request, decodeURIComponent(match[1] ?? ''));
  }
  return refusal(501, `the emulated Docker has no ${request.method} ${request.path}`);
}
