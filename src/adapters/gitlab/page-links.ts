// Where a list of GitLab's goes on: `Link: <…>; rel="next"`, else X-Next-Page where a proxy dropped the Link.
// Trap: whatever host a link names, the next page is asked for below our own root, or not at all: the token goes there.
import { type Headers, header } from './rate-headers.ts';

/** Characters of one target; GitLab's cursors have some hundred. */
const MOST_TARGET = 2_000;
const API = '/api/v4/';

export type NextPage = {
  /** Below `/api/`, with its query; null: there is none that can be asked for. */
  next: string | null;
  /** False: the list goes on at a place that is not GitLab's API, so what was read is not all. */
  whole: boolean;
};

/** The target of the first link whose relation is `next`; quotes and other parameters may stand around it. */
function nextTarget(headers: Headers): string | null {
  const said = headers['link'];
  for (const line of Array.isArray(said) ? said : [said ?? '']) {
    for (const [, target = '', parameters = ''] of line.matchAll(/<([^<>]*)>([^<>]*)/g))
      if (/;\s*rel="?next(?:"|\s|;|,|$)/i.test(parameters)) return target;
  }
  return null;
}

function numberedPage(headers: Headers, asked: string): string | null {
  const page = header(headers, 'x-next-page')?.trim() ?? '';
  if (!/^[1-9]\d{0,5}$/.test(page) || headers['link'] !== undefined) return null;
  const url = new URL(asked, 'http://gitlab.invalid/api/');
  url.searchParams.set('page', page);
  return url.pathname.slice('/api/'.length) + url.search;
}

/** The page after the one at `asked`. `root`: the API's own address, ending in `/api/`. */
export function nextPage(headers: Headers, { root, asked }: { root: URL; asked: string }): NextPage {
  const target = nextTarget(headers);
  if (target === null) return { next: numberedPage(headers, asked), whole: true };
  const url = target.length <= MOST_TARGET && URL.canParse(target, root.href) ? new URL(target, root) : null;
  // A proxy may serve GitLab below another path than GitLab itself knows.
  const at = url?.pathname.indexOf(API) ?? -1;
  if (url === null || at < 0) return { next: null, whole: false };
  return { next: url.pathname.slice(at + '/api/'.length) + url.search, whole: true };
}
