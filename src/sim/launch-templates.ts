// Launch templates of one region: numbered versions of what a launch may ask, made, listed and deleted. Fleets read them.
// Trap: a version never changes and its number is never used again; the default version cannot be deleted.
import { refuse } from './ec2-error.ts';
import type { RunRequest } from './run-request.ts';
import { type Fields, matching, pageOf, type Query } from './search.ts';
import type { Seeded } from './seeded.ts';
import { checkTags, type Tag, tagMap } from './tags.ts';

export type TemplateVersion = {
  order: number;
  template: string;
  name: string;
  number: number;
  description: string;
  data: RunRequest;
  isDefault: boolean;
  createdAt: number;
  tags: Map<string, string>;
};

export type LaunchTemplate = {
  order: number;
  id: string;
  name: string;
  createdAt: number;
  defaultNumber: number;
  latestNumber: number;
  versions: Map<number, TemplateVersion>;
  tags: Map<string, string>;
};

/** How a call names a template. */
export type TemplateKey = { id: string | null; name: string | null };

/** EC2's bounds: templates of a region, versions of a template. */
const TEMPLATES_AT_MOST = 5_000;
const VERSIONS_AT_MOST = 10_000;

const fields: Fields<LaunchTemplate> = {
  'launch-template-name': (template) => [template.name],
  'create-time': (template) => [new Date(template.createdAt).toISOString()],
};

const noFields: Fields<TemplateVersion> = {};

type Book = { templates: Map<string, LaunchTemplate>; now(): number };

const byName = ({ templates }: Book, name: string): LaunchTemplate | null =>
  [...templates.values()].find((one) => one.name === name) ?? null;

function find(book: Book, { id, name }: TemplateKey): LaunchTemplate {
  if (id !== null) {
    return (
      book.templates.get(id) ??
      refuse(
        'InvalidLaunchTemplateId.NotFound',
        `The specified launch template, with template ID ${id.slice(0, 40)}, does not exist.`,
      )
    );
  }
  if (name === null) return refuse('MissingParameter', 'The request must name a launch template.');
  return (
    byName(book, name) ??
    refuse(
      'InvalidLaunchTemplateName.NotFoundException',
      `The specified launch template, with template name ${name.slice(0, 130)}, does not exist.`,
    )
  );
}

/** `$Latest`, `$Default` or a number. */
function versionOf(template: LaunchTemplate, text: string): TemplateVersion {
  const words: Record<string, number> = { $Latest: template.latestNumber, $Default: template.defaultNumber };
  const number = words[text] ?? (/^\d{1,9}$/.test(text) ? Number(text) : -1);
  return (
    template.versions.get(number) ??
    refuse(
      'InvalidLaunchTemplateId.VersionNotFound',
      `Could not find the specified version ${text.slice(0, 20)} for the launch template with ID ${template.id}.`,
    )
  );
}

function addVersion(
  template: LaunchTemplate,
  description: string,
  data: RunRequest,
  now: number,
): TemplateVersion {
  if (template.versions.size >= VERSIONS_AT_MOST) {
    refuse(
      'LaunchTemplateVersionLimitExceeded',
      `A launch template has at most ${VERSIONS_AT_MOST} versions.`,
    );
  }
  template.latestNumber += 1;
  const version: TemplateVersion = {
    order: template.latestNumber,
    template: template.id,
    name: template.name,
    number: template.latestNumber,
    description,
    data,
    isDefault: template.latestNumber === template.defaultNumber,
    createdAt: now,
    tags: new Map(),
  };
  template.versions.set(version.number, version);
  return version;
}

export type NewTemplate = { name: string; description: string; data: RunRequest; tags: readonly Tag[] };

function checkNew(book: Book, wish: NewTemplate): void {
  if (!/^[\w().\-/]{3,128}$/.test(wish.name)) {
    refuse(
      'InvalidLaunchTemplateName.MalformedException',
      `'${wish.name.slice(0, 130)}' is no template name.`,
    );
  }
  if (byName(book, wish.name) !== null) {
    refuse(
      'InvalidLaunchTemplateName.AlreadyExistsException',
      `Launch template name already in use: ${wish.name}.`,
    );
  }
  if (book.templates.size >= TEMPLATES_AT_MOST) {
    refuse('LaunchTemplateLimitExceeded', `A region has at most ${TEMPLATES_AT_MOST} launch templates.`);
  }
  checkTags(wish.tags);
}

/** DeleteLaunchTemplateVersions: each by itself, the default one never. */
function removeVersions(template: LaunchTemplate, numbers: readonly string[]) {
  if (numbers.length > 200) refuse('InvalidParameterValue', 'At most 200 versions may be deleted at a time.');
  return numbers.map((text) => {
    const version = template.versions.get(Number(text));
    const isDeleted = version?.isDefault === false && template.versions.delete(version.number);
    return { template, number: Number(text), isDeleted };
  });
}

export type LaunchTemplates = ReturnType<typeof createLaunchTemplates>;

export function createLaunchTemplates(world: { random: Seeded; now(): number }) {
  const book: Book = { templates: new Map(), now: world.now };
  let order = 0;

  return {
    create(wish: NewTemplate): LaunchTemplate {
      checkNew(book, wish);
      const template: LaunchTemplate = {
        order: order++,
        id: `lt-${world.random.hex(17)}`,
        name: wish.name,
        createdAt: world.now(),
        defaultNumber: 1,
        latestNumber: 0,
        versions: new Map(),
        tags: tagMap(wish.tags),
      };
      addVersion(template, wish.description, wish.data, world.now());
      book.templates.set(template.id, template);
      return template;
    },

    createVersion: (key: TemplateKey, description: string, data: RunRequest): TemplateVersion =>
      addVersion(find(book, key), description, data, world.now()),

    /** DeleteLaunchTemplate, all versions with it. */
    remove(key: TemplateKey): LaunchTemplate {
      const template = find(book, key);
      book.templates.delete(template.id);
      return template;
    },

    removeVersions: (key: TemplateKey, numbers: readonly string[]) =>
      removeVersions(find(book, key), numbers),

    /** What a fleet is based on. */
    version: (key: TemplateKey, text: string): TemplateVersion => versionOf(find(book, key), text),

    byId: (id: string): LaunchTemplate | null => book.templates.get(id) ?? null,

    describe(query: Query & { names: readonly string[] }) {
      const named = [
        ...query.ids.map((id) => find(book, { id, name: null })),
        ...query.names.map((name) => find(book, { id: null, name })),
      ];
      const some = named.length > 0 ? named : [...book.templates.values()];
      return pageOf(matching(some, query.filters, fields), query.page);
    },

    /** DescribeLaunchTemplateVersions of one template; the newest first, as EC2 lists them. */
    describeVersions(key: TemplateKey, query: Query & { numbers: readonly string[] }) {
      const template = find(book, key);
      const some =
        query.numbers.length > 0
          ? query.numbers.map((text) => versionOf(template, text))
          : [...template.versions.values()].toSorted((a, b) => b.number - a.number);
      // A page goes on from a version's place in the list, which counts from the newest.
      const placed = some.map((version, at) => ({ ...version, order: at }));
      return pageOf(matching(placed, query.filters, noFields), query.page);
    },
  };
}
