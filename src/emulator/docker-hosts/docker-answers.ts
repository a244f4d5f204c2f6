// What the emulator reads from the local Docker daemon's answers, and nothing more of them. Every reader throws
// `docker-unusable` for an answer of another shape.
import { HostlerError } from '../../domain/error.ts';

type Fields = Readonly<Record<string, unknown>>;

function fail(what: string): never {
  throw new HostlerError('docker-unusable', `Docker's answer has no ${what}`);
}

function fieldsOf(value: unknown, what: string): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : fail(what);
}

function idOf(fields: Fields): string {
  const { Id } = fields;
  return typeof Id === 'string' && /^[0-9a-f]{12,64}$/.test(Id) ? Id : fail('Id');
}

/** Id of what was made. */
export function madeId(value: unknown): string {
  return idOf(fieldsOf(value, 'Id'));
}

/** Ids and labels of a listing of containers or networks. */
export function listOf(value: unknown): { id: string; labels: Readonly<Record<string, string>> }[] {
  if (!Array.isArray(value)) fail('list');
  return value.map((one) => {
    const fields = fieldsOf(one, 'list of objects');
    const labels = Object.entries(fieldsOf(fields['Labels'] ?? {}, 'Labels'));
    return { id: idOf(fields), labels: Object.fromEntries(labels.map(([key, text]) => [key, String(text)])) };
  });
}

/** IPv4 subnet of a network, e.g. `172.18.0.0/16`. */
export function subnetOf(value: unknown): string {
  const { Config } = fieldsOf(fieldsOf(value, 'network')['IPAM'], 'IPAM');
  const subnets = (Array.isArray(Config) ? Config : []).map((one) => fieldsOf(one, 'subnet')['Subnet']);
  const found = subnets.find((one) => typeof one === 'string' && /^[\d.]{7,15}\/\d{1,2}$/.test(one));
  return typeof found === 'string' ? found : fail('IPv4 subnet');
}

/** Exit code of a container or of a command in one. */
export function exitCodeOf(value: unknown): number {
  const { StatusCode, ExitCode } = fieldsOf(value, 'exit code');
  const code = StatusCode ?? ExitCode;
  return typeof code === 'number' ? code : fail('exit code');
}

/** `1` or `2`: the kind of control groups that containers get. Daemons too old to say have 1. */
export function cgroupVersion(info: unknown): '1' | '2' {
  return fieldsOf(info, 'info')['CgroupVersion'] === '2' ? '2' : '1';
}
