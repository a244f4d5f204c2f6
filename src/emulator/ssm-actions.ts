// SSM's parameter calls in their JSON protocol: what callers put, and the names that lead to image ids, as AWS publishes
// them. A SecureString is shown as SSM shows it: encrypted, unless its decryption is asked for.
// Trap: outside a strict world any name leads to an image; a caller that asks for decryption wants what was put, nothing else.
import { type Parameter, ParameterError } from '../sim/parameters.ts';
import type { Region } from '../sim/region.ts';
import { hexOf } from '../sim/seeded.ts';

/** An SSM error: `__type` and HTTP status. */
export class SsmError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'SsmError';
    this.code = code;
  }
}

/** SSM's bound on names in one call. */
const NAMES_AT_MOST = 10;

type Request = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

function record(body: string): Request {
  try {
    const parsed: unknown = JSON.parse(body === '' ? '{}' : body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Request;
    }
  } catch {
    // Answered below, as everything that is no object.
  }
  throw new SsmError('SerializationException', 'The request body is no JSON object.');
}

function text(request: Request, key: string): string {
  const value = request[key];
  if (typeof value !== 'string' || value === '')
    throw new SsmError('ValidationException', `${key} is missing.`);
  return value;
}

function optionalText(request: Request, key: string): string | null {
  return request[key] === undefined ? null : text(request, key);
}

function names(request: Request): string[] {
  const list = request['Names'];
  if (!Array.isArray(list) || list.length === 0 || list.length > NAMES_AT_MOST) {
    throw new SsmError('ValidationException', `Names takes 1 to ${NAMES_AT_MOST} names.`);
  }
  return list.map(String);
}

const notFound = (name: string): SsmError =>
  new SsmError('ParameterNotFound', `Parameter ${name.slice(0, 120)} not found.`);

function shown(region: Region, found: Parameter, request: Request): Answer {
  const isHidden = found.type === 'SecureString' && request['WithDecryption'] !== true;
  return {
    Name: found.name,
    Type: found.type,
    Value: isHidden ? `AQICAH${hexOf(`${found.name} ${found.version}`, 64)}` : found.value,
    Version: found.version,
    DataType: 'text',
    LastModifiedDate: found.modifiedAt / 1000,
    ARN: `arn:aws:ssm:${region.name}:123456789012:parameter${found.name.startsWith('/') ? '' : '/'}${found.name}`,
  };
}

/** A parameter by `NAME` or `NAME:VERSION`; null = there is none. */
function parameter(region: Region, asked: string, request: Request): Answer | null {
  const [name = '', selector] = asked.split(':', 2);
  const put = region.parameters.get(name);
  if (put !== null) {
    if (selector !== undefined && selector !== String(put.version))
      throw new SsmError(
        'ParameterVersionNotFound',
        `Systems Manager could not find version ${selector} of ${name}.`,
      );
    return shown(region, put, request);
  }
  if (request['WithDecryption'] === true) return null;
  // A version or label may follow the name; there is one version of each.
  const value = region.images.parameter(name);
  if (value === null) return null;
  return {
    Name: asked,
    Type: 'String',
    Value: value,
    Version: 1,
    DataType: 'aws:ec2:image',
    LastModifiedDate: region.now() / 1000,
    ARN: `arn:aws:ssm:${region.name}::parameter${asked}`,
  };
}

const actions: Readonly<Record<string, (region: Region, request: Request) => Answer>> = {
  GetParameter(region, request) {
    const name = text(request, 'Name');
    const found = parameter(region, name, request);
    if (found === null) throw notFound(name);
    return { Parameter: found };
  },
  GetParameters(region, request) {
    const asked = names(request).map((name) => ({ name, found: parameter(region, name, request) }));
    return {
      Parameters: asked.flatMap(({ found }) => found ?? []),
      InvalidParameters: asked.filter(({ found }) => found === null).map(({ name }) => name),
    };
  },
  GetParametersByPath: (region, request) => ({
    Parameters: region.parameters.below(text(request, 'Path')).map((found) => shown(region, found, request)),
  }),
  PutParameter(region, request) {
    const { version, tier } = region.parameters.put({
      name: text(request, 'Name'),
      value: text(request, 'Value'),
      type: optionalText(request, 'Type'),
      tier: optionalText(request, 'Tier'),
      overwrite: request['Overwrite'] === true,
    });
    return { Version: version, Tier: tier };
  },
  DeleteParameter(region, request) {
    const name = text(request, 'Name');
    if (!region.parameters.remove(name)) throw notFound(name);
    return {};
  },
  DeleteParameters(region, request) {
    const asked = names(request).map((name) => ({ name, removed: region.parameters.remove(name) }));
    return {
      DeletedParameters: asked.filter(({ removed }) => removed).map(({ name }) => name),
      InvalidParameters: asked.filter(({ removed }) => !removed).map(({ name }) => name),
    };
  },
};

/** Answers one SSM call. Throws SsmError. */
export function answerSsm(region: Region, action: string, body: string): Answer {
  const request = record(body);
  const serve = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (serve === undefined)
    throw new SsmError('UnknownOperationException', `The emulator does not serve ${action.slice(0, 60)}.`);
  try {
    return serve(region, request);
  } catch (error) {
    throw error instanceof ParameterError ? new SsmError(error.code, error.message) : error;
  }
}
