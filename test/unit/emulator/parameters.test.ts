// The emulated parameter store over the real SDK: what was put, once or again, plain and secret.
import {
  DeleteParameterCommand,
  DeleteParametersCommand,
  GetParameterCommand,
  GetParametersByPathCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
} from '@aws-sdk/client-ssm';
import { describe, expect, test } from 'vitest';
import { startRig } from './emulator-fixture.ts';

const secret = (name: string, over: Partial<PutParameterCommandInput> = {}) =>
  new PutParameterCommand({ Name: name, Value: 'the secret', Type: 'SecureString', ...over });

describe('a parameter that was put', () => {
  test('is refused a second time unless it may be overwritten', async () => {
    const { ssm } = await startRig();
    expect(await ssm.send(secret('/a/b'))).toMatchObject({ Version: 1, Tier: 'Standard' });
    await expect(ssm.send(secret('/a/b'))).rejects.toMatchObject({ name: 'ParameterAlreadyExists' });
    expect(await ssm.send(secret('/a/b', { Value: 'next', Overwrite: true }))).toMatchObject({ Version: 2 });
    const read = await ssm.send(new GetParameterCommand({ Name: '/a/b', WithDecryption: true }));
    expect(read.Parameter).toMatchObject({ Value: 'next', Version: 2, Type: 'SecureString' });
  });

  test('is made by one of many that put it at the same time', async () => {
    const { ssm } = await startRig();
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) => ssm.send(secret('/race', { Value: `v${index}` }))),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('shows a secret only to who asks for its decryption', async () => {
    const { ssm } = await startRig();
    await ssm.send(secret('/s'));
    const plain = await ssm.send(new GetParameterCommand({ Name: '/s' }));
    expect(plain.Parameter?.Value).not.toContain('secret');
    const clear = await ssm.send(new GetParameterCommand({ Name: '/s', WithDecryption: true }));
    expect(clear.Parameter?.Value).toBe('the secret');
  });

  test('is found by its path, and gone when it was deleted', async () => {
    const { ssm } = await startRig();
    for (const name of ['/p/one', '/p/two', '/pother']) await ssm.send(secret(name));
    const found = await ssm.send(new GetParametersByPathCommand({ Path: '/p', WithDecryption: true }));
    expect(found.Parameters?.map(({ Name }) => Name)).toEqual(['/p/one', '/p/two']);
    await ssm.send(new DeleteParameterCommand({ Name: '/p/one' }));
    await expect(ssm.send(new DeleteParameterCommand({ Name: '/p/one' }))).rejects.toMatchObject({
      name: 'ParameterNotFound',
    });
    const gone = await ssm.send(new DeleteParametersCommand({ Names: ['/p/two', '/none'] }));
    expect(gone).toMatchObject({ DeletedParameters: ['/p/two'], InvalidParameters: ['/none'] });
    const read = ssm.send(new GetParameterCommand({ Name: '/p/one', WithDecryption: true }));
    await expect(read).rejects.toMatchObject({ name: 'ParameterNotFound' });
  });
});

describe('what SSM refuses', () => {
  test.each<[string, PutParameterCommandInput, string]>([
    [
      'a value beyond 4 KB',
      { Name: '/a', Value: 'x'.repeat(4_097), Type: 'SecureString' },
      'ValidationException',
    ],
    ['a new one without its type', { Name: '/a', Value: 'x' }, 'ValidationException'],
    ["AWS's own names", { Name: '/aws/a', Value: 'x', Type: 'String' }, 'ValidationException'],
    ['a name with other characters', { Name: '/a b', Value: 'x', Type: 'String' }, 'ValidationException'],
    [
      'more than 15 levels',
      { Name: '/a'.repeat(16), Value: 'x', Type: 'String' },
      'HierarchyLevelLimitExceededException',
    ],
  ])('%s', async (_what, input, code) => {
    const { ssm } = await startRig();
    await expect(ssm.send(new PutParameterCommand(input))).rejects.toMatchObject({ name: code });
  });

  test('calls on purpose, in its own words', async () => {
    const { ssm, emulator } = await startRig();
    emulator.world.faults.set({ code: 'RequestLimitExceeded', rate: 1, action: 'PutParameter' });
    await expect(ssm.send(secret('/a'))).rejects.toMatchObject({ name: 'ThrottlingException' });
    emulator.world.faults.set({ code: 'AccessDeniedException', rate: 1, action: 'GetParameter' });
    const read = ssm.send(new GetParameterCommand({ Name: '/a' }));
    await expect(read).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });
});
