// Calls about launch templates: made, given further versions, listed, deleted.

import { refuse } from '../sim/ec2-error.ts';
import type { LaunchTemplate, TemplateKey, TemplateVersion } from '../sim/launch-templates.ts';
import { type Ec2Action, type Fields, paged, required, tagsFor } from './ec2-action.ts';
import { tagSet, timeXml } from './ec2-answers.ts';
import { readDescribe, readRun } from './ec2-requests.ts';
import type { QueryParams } from './query-params.ts';

const keyOf = (params: QueryParams): TemplateKey => ({
  id: params.text('LaunchTemplateId'),
  name: params.text('LaunchTemplateName'),
});

function dataOf(params: QueryParams) {
  const data = params.struct('LaunchTemplateData');
  if (data === null) {
    return refuse('MissingParameter', 'The request must contain the parameter LaunchTemplateData');
  }
  return readRun(data);
}

const templateXml = (template: LaunchTemplate): Fields => ({
  launchTemplateId: template.id,
  launchTemplateName: template.name,
  createTime: timeXml(template.createdAt),
  defaultVersionNumber: template.defaultNumber,
  latestVersionNumber: template.latestNumber,
  tagSet: tagSet(template.tags),
});

const versionXml = (version: TemplateVersion): Fields => {
  const { data } = version;
  return {
    launchTemplateId: version.template,
    launchTemplateName: version.name,
    versionNumber: version.number,
    versionDescription: version.description,
    createTime: timeXml(version.createdAt),
    defaultVersion: version.isDefault,
    launchTemplateData: {
      imageId: data.imageId,
      instanceType: data.type,
      keyName: data.keyName,
      userData: data.userData,
      ebsOptimized: data.ebsOptimized,
      instanceInitiatedShutdownBehavior: data.shutdown,
      monitoring: { enabled: data.monitoring },
    },
  };
};

export const templateActions: Readonly<Record<string, Ec2Action>> = {
  CreateLaunchTemplate: (region, params) => ({
    launchTemplate: templateXml(
      region.templates.create({
        name: required(params, 'LaunchTemplateName'),
        description: params.text('VersionDescription') ?? '',
        data: dataOf(params),
        tags: tagsFor(params, 'launch-template'),
      }),
    ),
  }),
  CreateLaunchTemplateVersion: (region, params) => ({
    launchTemplateVersion: versionXml(
      region.templates.createVersion(keyOf(params), params.text('VersionDescription') ?? '', dataOf(params)),
    ),
  }),
  DescribeLaunchTemplates: (region, params) =>
    paged(
      'launchTemplates',
      region.templates.describe({
        ...readDescribe(params, 'LaunchTemplateId'),
        names: params.list('LaunchTemplateName'),
      }),
      templateXml,
    ),
  DescribeLaunchTemplateVersions: (region, params) =>
    paged(
      'launchTemplateVersionSet',
      region.templates.describeVersions(keyOf(params), {
        ...readDescribe(params, 'NoSuchList'),
        numbers: params.list('LaunchTemplateVersion'),
      }),
      versionXml,
    ),
  DeleteLaunchTemplate: (region, params) => ({
    launchTemplate: templateXml(region.templates.remove(keyOf(params))),
  }),
  DeleteLaunchTemplateVersions: (region, params) => {
    const each = region.templates.removeVersions(keyOf(params), params.list('LaunchTemplateVersion'));
    const xml = ({ template, number }: (typeof each)[number]): Fields => ({
      launchTemplateId: template.id,
      launchTemplateName: template.name,
      versionNumber: number,
    });
    return {
      successfullyDeletedLaunchTemplateVersionSet: each.filter((one) => one.isDeleted).map(xml),
      unsuccessfullyDeletedLaunchTemplateVersionSet: each
        .filter((one) => !one.isDeleted)
        .map((one) => ({
          ...xml(one),
          responseError: {
            code: 'launchTemplateVersionDoesNotExist',
            message: 'It is the default, or gone.',
          },
        })),
    };
  },
};
