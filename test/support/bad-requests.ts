// Requests that the socket must refuse, each with what its one line has to name. One table for the app by itself and for
// a living daemon: a refusal must look the same and change nothing.

export type BadRequest = {
  what: string;
  method: string;
  path: string;
  /** JSON value, or text as it is. */
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  status: number;
  code: string;
  /** The place as the reply names it. */
  where: string | null;
  /** A piece of the message. */
  says: string;
};

const good = {
  name: 'runner-testtoken-box-1790000000-0000000f',
  driver: 'amazonec2',
  options: ['amazonec2-region=eu-central-1'],
  store: '/tmp',
  pid: 1,
  runnerPid: 1,
};

/** A create with one thing wrong. */
const create = (what: string, wrong: object, where: string, says: string): BadRequest => ({
  what: `a create with ${what}`,
  method: 'POST',
  path: '/v1/leases',
  body: { ...good, ...wrong },
  status: 400,
  code: 'bad-request',
  where,
  says,
});

const without = (key: keyof typeof good): BadRequest => ({
  ...create(`no ${key}`, {}, key, 'expected'),
  body: Object.fromEntries(Object.entries(good).filter(([name]) => name !== key)),
});

/** A body that is no object, or none at all. */
const body = (what: string, text: string, says: string): BadRequest => ({
  ...create('', {}, 'body', says),
  what: `a create whose body is ${what}`,
  body: text,
});

const refused = (
  what: string,
  line: string,
  place: { where: string | null; says: string; code?: string; status?: number; body?: unknown },
): BadRequest => {
  const [method = '', path = ''] = line.split(' ');
  return { what, method, path, status: 400, code: 'bad-request', ...place };
};

const unknown = (what: string, line: string, says: string, content?: unknown): BadRequest =>
  refused(what, line, {
    where: null,
    says,
    code: 'not-found',
    status: 404,
    ...(content === undefined ? {} : { body: content }),
  });

const version = (sent: string): BadRequest => ({
  ...refused(`version ${JSON.stringify(sent)}`, 'GET /v1/status', {
    where: 'hostler-api',
    says: 'this daemon speaks',
    code: 'version-refused',
  }),
  headers: { 'hostler-api': sent },
});

const long = (characters: number) => 'x'.repeat(characters);
const nameRule = 'a machine name has letters, digits, dots, dashes and underscores';

export const badRequests: readonly BadRequest[] = [
  body('nothing', '', 'empty'),
  body('broken JSON', '{"name": "a', 'JSON'),
  body('a list', '[]', 'expected object'),
  body('null', 'null', 'expected object'),
  body('a number', '7', 'expected object'),
  body('a text', '"runner"', 'expected object'),
  ...(['name', 'driver', 'options', 'store', 'pid', 'runnerPid'] as const).map(without),
  create('a number for a name', { name: 7 }, 'name', 'expected string'),
  create('an empty name', { name: '' }, 'name', nameRule),
  create('a path for a name', { name: '../../etc/passwd' }, 'name', nameRule),
  create('a slash in its name', { name: 'a/b' }, 'name', nameRule),
  create('a name that begins with a dot', { name: '.hidden' }, 'name', nameRule),
  create('a name that looks like a flag', { name: '-rf' }, 'name', nameRule),
  create('a name of two lines', { name: 'a\nb' }, 'name', nameRule),
  create('a name of 241 characters', { name: long(241) }, 'name', nameRule),
  create('an empty driver', { driver: '' }, 'driver', '>=1'),
  create('a driver of 65 characters', { driver: long(65) }, 'driver', '<=64'),
  create('options as one text', { options: 'amazonec2-region=x' }, 'options', 'expected array'),
  create('a number among its options', { options: ['a=b', 1] }, 'options.1', 'expected string'),
  create('an empty option', { options: [''] }, 'options.0', '>=1'),
  create('an option of 5000 characters', { options: [long(5_000)] }, 'options.0', '<=4096'),
  create('501 options', { options: Array.from({ length: 501 }, () => 'a=b') }, 'options', '<=500'),
  create('a relative store', { store: 'machines' }, 'store', 'the store is an absolute path'),
  create('a store of 5000 characters', { store: `/${long(5_000)}` }, 'store', '<=4096'),
  create('a text for a pid', { pid: '12' }, 'pid', 'expected number'),
  create('a negative pid', { pid: -1 }, 'pid', '>=0'),
  create('half a pid', { pid: 1.5 }, 'pid', 'expected int'),
  create('a runner pid that is null', { runnerPid: null }, 'runnerPid', 'expected number'),
  create('a misspelt key', { optoins: [] }, 'body', 'optoins'),
  {
    ...create('', {}, 'body', 'at most 262144 bytes'),
    what: 'a body above 256 KiB',
    body: { ...good, options: [long(270_000)] },
    status: 413,
    code: 'too-large',
  },
  {
    ...create('another content type', {}, 'content-type', 'application/json'),
    headers: { 'content-type': 'text/plain' },
  },
  refused('the end of a lease by nobody known', 'DELETE /v1/leases/a?by=robot', {
    where: 'by',
    says: 'person',
  }),
  refused('the end of a lease with a misspelt query', 'DELETE /v1/leases/a?bye=person', {
    where: 'query',
    says: 'bye',
  }),
  refused('a commit with something in its body', 'POST /v1/leases/a/commit', {
    where: 'body',
    says: 'force',
    body: { force: true },
  }),
  refused('a retire with a text for force', 'POST /v1/machines/m-1/retire', {
    where: 'force',
    says: 'expected boolean',
    body: { force: 'yes' },
  }),
  refused('a retire with an unknown key', 'POST /v1/machines/m-1/retire', {
    where: 'body',
    says: 'all',
    body: { all: true },
  }),
  refused('a cleanup with a text for a switch', 'POST /v1/cleanup', {
    where: 'allManagers',
    says: 'expected boolean',
    body: { allManagers: 'no' },
  }),
  refused('a cleanup with an unknown key', 'POST /v1/cleanup', {
    where: 'body',
    says: 'dryRun',
    body: { dryRun: true },
  }),
  refused('a cleanup with broken JSON', 'POST /v1/cleanup', { where: 'body', says: 'JSON', body: '{"all' }),
  refused('a reload that names a file', 'POST /v1/reload', {
    where: 'body',
    says: 'file',
    body: { file: '/etc/passwd' },
  }),
  refused('a pause with a body', 'POST /v1/pools/test-runner/pause', {
    where: 'body',
    says: 'for',
    body: { for: '1h' },
  }),
  refused('a drain as a list', 'POST /v1/pools/test-runner/drain', {
    where: 'body',
    says: 'expected object',
    body: '[1]',
  }),
  ...(
    [
      ['limit=0', 'limit', '>=1'],
      ['limit=5001', 'limit', '<=5000'],
      ['limit=many', 'limit', 'expected number'],
      ['after=-1', 'after', '>=0'],
      ['after=1.5', 'after', 'expected int'],
      ['pool=', 'pool', '>=1'],
      ['pols=a', 'query', 'pols'],
    ] as const
  ).map(([query, where, says]) =>
    refused(`events with ${query}`, `GET /v1/events?${query}`, { where, says }),
  ),
  refused('a path that cannot be decoded', 'GET /v1/leases/%ZZ', { where: 'path', says: '%ZZ' }),
  unknown('a page that is not there', 'GET /v1/nothing', 'GET /v1/nothing is not served here'),
  unknown('a verb that a page has not', 'PUT /v1/leases', 'PUT /v1/leases is not served here', good),
  unknown('an end of all leases', 'DELETE /v1/leases', 'DELETE /v1/leases is not served here'),
  unknown('a lease that nobody has', 'GET /v1/leases/nobody', 'no lease is named nobody'),
  unknown('the end of such a lease', 'DELETE /v1/leases/nobody', 'no lease is named nobody'),
  unknown('a machine that nobody has', 'GET /v1/machines/m-none', 'named m-none'),
  unknown('a retire of such a machine', 'POST /v1/machines/m-none/retire', 'named m-none', { force: true }),
  unknown('a pause of no pool', 'POST /v1/pools/nobody/pause', 'no pool is named nobody', {}),
  unknown('a drain of all pools by a star', 'POST /v1/pools/*/drain', 'no pool is named *', {}),
  refused('a commit of a lease that nobody has', 'POST /v1/leases/nobody/commit', {
    where: null,
    says: 'nobody',
    code: 'lease-gone',
    status: 409,
    body: {},
  }),
  ...['99', '-1', 'one', '', '0x1', '0.5', '1, 1'].map(version),
];
