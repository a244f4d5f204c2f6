// Machine images and the SSM parameters that name them. Unless the world is strict, any well-formed `ami-…` exists
// (Ubuntu-like, x86_64) and any parameter name leads to one.
// Trap: an image that was made by mention has a guessed architecture, so no launch may be refused for it.
import { refuse } from './ec2-error.ts';
import { checkIds, type Fields, matching, pageOf, type Query } from './search.ts';
import { hexOf } from './seeded.ts';

export type Image = {
  order: number;
  id: string;
  name: string;
  owner: string;
  architecture: 'x86_64' | 'arm64';
  /** False where the architecture is a guess. */
  sure: boolean;
  rootDevice: string;
  /** GiB of its snapshot: a root volume cannot be smaller. */
  rootSizeGb: number;
  snapshot: string;
  createdAt: number;
  tags: Map<string, string>;
};

/** The parameters that exist in any region and in a strict world, too: [name, owner, root device, arm64]. */
const publicNames: readonly (readonly [RegExp, string, string])[] = [
  [
    /^\/aws\/service\/canonical\/ubuntu\/server(-minimal)?\/\d\d\.04\/stable\/current\/(amd64|arm64)\/hvm\/ebs-gp[23]\/ami-id$/,
    '099720109477',
    '/dev/sda1',
  ],
  [/^\/aws\/service\/ami-amazon-linux-latest\/[a-z0-9._-]+-(x86_64|arm64)$/, 'amazon', '/dev/xvda'],
  [
    /^\/aws\/service\/ecs\/optimized-ami\/amazon-linux-20\d\d(\/arm64)?\/recommended\/image_id$/,
    'amazon',
    '/dev/xvda',
  ],
];

const fields: Fields<Image> = {
  'image-id': (image) => [image.id],
  name: (image) => [image.name],
  architecture: (image) => [image.architecture],
  'root-device-name': (image) => [image.rootDevice],
  'root-device-type': () => ['ebs'],
  'owner-id': (image) => [image.owner],
  state: () => ['available'],
  'virtualization-type': () => ['hvm'],
};

export type Images = ReturnType<typeof createImages>;

export function createImages(region: string, strict: boolean, bornAt: number) {
  const images = new Map<string, Image>();
  const add = (
    image: Pick<Image, 'id' | 'name' | 'owner' | 'architecture' | 'sure' | 'rootDevice'>,
  ): Image => {
    const snapshot = `snap-${hexOf(image.id, 17)}`;
    const made = { order: images.size, rootSizeGb: 8, snapshot, createdAt: bornAt, ...image };
    const added = { ...made, tags: new Map<string, string>() };
    images.set(image.id, added);
    return added;
  };

  const image = (id: string): Image => {
    checkIds('ami', [id], 'InvalidAMIID.Malformed');
    const found = images.get(id);
    if (found !== undefined) return found;
    if (strict) refuse('InvalidAMIID.NotFound', `The image id '[${id}]' does not exist`);
    const name = `image ${id}`;
    return add({
      id,
      name,
      owner: '000000000000',
      architecture: 'x86_64',
      sure: false,
      rootDevice: '/dev/sda1',
    });
  };

  return {
    image,

    /** The image id that an SSM parameter holds, or null when there is no such parameter. */
    parameter(name: string): string | null {
      const [, owner, rootDevice] = publicNames.find(([pattern]) => pattern.test(name)) ?? [];
      if (owner === undefined && (strict || !/^\/?[A-Za-z0-9_./-]{1,1011}$/.test(name))) return null;
      const id = `ami-${hexOf(`${region}${name}`, 17)}`;
      if (!images.has(id)) {
        add({
          id,
          name,
          owner: owner ?? '000000000000',
          architecture: /arm64/.test(name) ? 'arm64' : 'x86_64',
          sure: owner !== undefined,
          rootDevice: rootDevice ?? '/dev/sda1',
        });
      }
      return id;
    },

    describe(query: Query) {
      if (!strict) {
        for (const filter of query.filters) {
          if (filter.name === 'image-id') for (const id of filter.values) image(id);
        }
      }
      const named = query.ids.length > 0 ? query.ids.map((id) => image(id)) : [...images.values()];
      return pageOf(matching(named, query.filters, fields), query.page);
    },
  };
}
