// SSM's parameter calls in their JSON protocol: names that lead to image ids, as AWS publishes them.
import type { Region } from '../sim/region.ts';

/** An SSM error: `__type` and HTTP status. */
export class SsmError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'SsmError';
    this.code = code;
  }
}

/** SSM's bound on names in one GetParameters. */
const NAMES_AT_MOST = 10;

function record(body: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body === '' ? '{}' : body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>;
    }
  } catch {
    // Answered below, as everything that is no object.
  }
  throw new SsmError('SerializationException', 'The request body is no JSON object.');
}

function parameter(region: Region, name: string): Record<string, unknown> | null {
  // A version or label may follow the name; there is one version of each.
  const value = region.images.parameter(name.replace(/:[A-Za-z0-9._-]+$/, ''));
  if (value === null) return null;
  return {
    Name: name,
    Type: 'String',
    Value: value,
    Version: 1,
    DataType: 'aws:ec2:image',
    LastModifiedDate: region.now() / 1000,
    ARN: `arn:aws:ssm:${region.name}::parameter${name}`,
  };
}

/** Answers one SSM call. Throws SsmError. */
export function answerSsm(region: Region, action: string, body: string): Record<string, unknown> {
  const request = record(body);
  if (action === 'GetParameter') {
    const name = request['Name'];
    if (typeof name !== 'string') throw new SsmError('ValidationException', 'Name is missing.');
    const found = parameter(region, name);
    if (found === null) throw new SsmError('ParameterNotFound', `Parameter ${name.slice(0, 120)} not found.`);
    return { Parameter: found };
  }
  if (action === 'GetParameters') {
    const names = request['Names'];
    if (!Array.isArray(names) || names.length === 0 || names.length > NAMES_AT_MOST) {
      throw new SsmError('ValidationException', `Names takes 1 to ${NAMES_AT_MOST} names.`);
    }
    const asked = names.map(String).map((name) => ({ name, found: parameter(region, name) }));
    return {
      Parameters: asked.flatMap(({ found }) => found ?? []),
      InvalidParameters: asked.filter(({ found }) => found === null).map(({ name }) => name),
    };
  }
  throw new SsmError('UnknownOperationException', `The emulator does not serve ${action.slice(0, 60)}.`);
}
