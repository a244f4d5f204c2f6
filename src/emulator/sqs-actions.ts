// SQS in its JSON protocol, as far as a reader of events needs it: ReceiveMessage with long polls, DeleteMessage alone
// and in batches, GetQueueUrl.
import type { EventQueues } from './event-queues.ts';

/** An SQS error: `__type` and HTTP status. */
export class SqsError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = 'SqsError';
    this.code = code;
  }
}

type Request = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

/** SQS's own bounds: messages of one call, seconds of a long poll, seconds a message is hidden. */
const MESSAGES_AT_MOST = 10;
const WAIT_AT_MOST_S = 20;
const HIDE_AT_MOST_S = 43_200;
const DEFAULT_HIDE_S = 30;

function record(body: string): Request {
  try {
    const parsed: unknown = JSON.parse(body === '' ? '{}' : body);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Request;
  } catch {
    // Answered below, as everything that is no object.
  }
  throw new SqsError('InvalidRequest', 'The request body is no JSON object.');
}

function text(request: Request, key: string): string {
  const value = request[key];
  if (typeof value === 'string' && value !== '') return value;
  throw new SqsError('MissingParameter', `The request must contain the parameter ${key}.`);
}

function whole(request: Request, key: string, range: { least: number; most: number; usual: number }): number {
  const value = request[key] ?? range.usual;
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.least && value <= range.most)
    return value;
  throw new SqsError('InvalidParameterValue', `Value for parameter ${key} is invalid.`);
}

async function receive(queues: EventQueues, request: Request): Promise<Answer> {
  const messages = await queues.receive(text(request, 'QueueUrl'), {
    most: whole(request, 'MaxNumberOfMessages', { least: 1, most: MESSAGES_AT_MOST, usual: 1 }),
    waitMs: whole(request, 'WaitTimeSeconds', { least: 0, most: WAIT_AT_MOST_S, usual: 0 }) * 1000,
    hideMs:
      whole(request, 'VisibilityTimeout', { least: 0, most: HIDE_AT_MOST_S, usual: DEFAULT_HIDE_S }) * 1000,
  });
  const shown = messages.map(({ id, receipt, body, md5 }) => ({
    MessageId: id,
    ReceiptHandle: receipt,
    Body: body,
    MD5OfBody: md5,
  }));
  return shown.length === 0 ? {} : { Messages: shown };
}

function removeBatch(queues: EventQueues, request: Request): Answer {
  const entries = request['Entries'];
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > MESSAGES_AT_MOST)
    throw new SqsError('InvalidParameterValue', `Entries takes 1 to ${MESSAGES_AT_MOST}.`);
  const url = text(request, 'QueueUrl');
  const each = (entries as Request[]).map((entry) => ({
    Id: text(entry, 'Id'),
    isDone: queues.remove(url, text(entry, 'ReceiptHandle')),
  }));
  return {
    Successful: each.filter(({ isDone }) => isDone).map(({ Id }) => ({ Id })),
    Failed: each
      .filter(({ isDone }) => !isDone)
      .map(({ Id }) => ({ Id, SenderFault: true, Code: 'ReceiptHandleIsInvalid' })),
  };
}

/** Answers one SQS call. Throws SqsError. */
export async function answerSqs(queues: EventQueues, action: string, body: string): Promise<Answer> {
  const request = record(body);
  if (action === 'ReceiveMessage') return receive(queues, request);
  if (action === 'DeleteMessageBatch') return removeBatch(queues, request);
  if (action === 'DeleteMessage') {
    queues.remove(text(request, 'QueueUrl'), text(request, 'ReceiptHandle'));
    return {};
  }
  throw new SqsError('UnsupportedOperation', `The emulator does not serve ${action.slice(0, 60)}.`);
}
