// Calls about instances: launched, listed, looked at, stopped and started, changed, ended.

import { refuse } from '../sim/ec2-error.ts';
import { describeStatus } from '../sim/instance-status.ts';
import type { StateChange } from '../sim/power.ts';
import type { Region } from '../sim/region.ts';
import { type Ec2Action, type Fields, paged, required } from './ec2-action.ts';
import { ACCOUNT, instanceXml, reservationsXml, stateXml, statusXml } from './ec2-answers.ts';
import { readDescribe, readRun, readTagPatterns, readTags } from './ec2-requests.ts';
import type { QueryParams } from './query-params.ts';

const runInstances: Ec2Action = (region, params) => {
  const instances = region.runInstances(readRun(params));
  return {
    reservationId: instances[0]?.reservation,
    ownerId: ACCOUNT,
    groupSet: [],
    instancesSet: instances.map(instanceXml),
  };
};

const describeInstances: Ec2Action = (region, params) => {
  const page = region.instances.describe(readDescribe(params, 'InstanceId'));
  return { reservationSet: reservationsXml(page.things), nextToken: page.nextToken };
};

const changesXml = (changes: readonly StateChange[]): Fields => ({
  instancesSet: changes.map(({ id, before, after }) => ({
    instanceId: id,
    currentState: stateXml(after),
    previousState: stateXml(before),
  })),
});

const consoleOutput: Ec2Action = (region, params) => {
  const id = required(params, 'InstanceId');
  const output = region.instances.console(id);
  return {
    instanceId: id,
    timestamp: new Date(output?.at ?? region.now()).toISOString(),
    output: output === null ? null : Buffer.from(output.text).toString('base64'),
  };
};

/** The attributes that the emulator can change; EC2 takes one a call, here several may come together. */
function modify(region: Region, params: QueryParams): void {
  const [instance] = region.instances.known([required(params, 'InstanceId')]);
  const shutdown = params.struct('InstanceInitiatedShutdownBehavior')?.text('Value') ?? null;
  const shielded = params.struct('DisableApiTermination')?.flagOrNone('Value') ?? null;
  const groupIds = params.list('GroupId');
  if (instance === undefined) return;
  if (shutdown === null && shielded === null && groupIds.length === 0) {
    refuse(
      'UnsupportedOperation',
      'The emulator changes DisableApiTermination, InstanceInitiatedShutdownBehavior and GroupId only.',
    );
  }
  if (shutdown !== null && shutdown !== 'stop' && shutdown !== 'terminate') {
    return refuse(
      'InvalidParameterValue',
      `Invalid value '${shutdown.slice(0, 40)}' for InstanceInitiatedShutdownBehavior.`,
    );
  }
  const groups = groupIds.map((id) => region.groups.byId(id));
  if (shutdown !== null) instance.shutdown = shutdown;
  if (shielded !== null) instance.protected = shielded;
  if (groups.length > 0) instance.groups = groups.map(({ id, name }) => ({ id, name }));
}

export const instanceActions: Readonly<Record<string, Ec2Action>> = {
  RunInstances: runInstances,
  DescribeInstances: describeInstances,
  TerminateInstances: (region, params) => changesXml(region.terminateInstances(params.list('InstanceId'))),
  StopInstances: (region, params) => changesXml(region.power.stop(params.list('InstanceId'))),
  StartInstances: (region, params) => changesXml(region.power.start(params.list('InstanceId'))),
  RebootInstances: (region, params) => {
    region.power.reboot(params.list('InstanceId'));
    return { return: true };
  },
  ModifyInstanceAttribute: (region, params) => {
    modify(region, params);
    return { return: true };
  },
  GetConsoleOutput: consoleOutput,
  DescribeInstanceStatus: (region, params) =>
    paged(
      'instanceStatusSet',
      describeStatus(
        region.instances,
        readDescribe(params, 'InstanceId'),
        params.flag('IncludeAllInstances'),
      ),
      statusXml,
    ),
  CreateTags: (region, params) => {
    region.createTags(params.list('ResourceId'), readTags(params));
    return { return: true };
  },
  DeleteTags: (region, params) => {
    region.deleteTags(params.list('ResourceId'), readTagPatterns(params));
    return { return: true };
  },
};
