// Root volumes as things of their own: in use while their instance stands, then gone, or left behind where the launch
// said so. Volumes that nobody launched do not exist here.
import { refuse } from './ec2-error.ts';
import type { SimInstance } from './instance.ts';
import { checkIds, type Fields, matching, pageOf, type Query } from './search.ts';

export type Volume = {
  order: number;
  id: string;
  sizeGb: number;
  type: string;
  encrypted: boolean;
  zone: string;
  state: 'in-use' | 'available';
  instanceId: string | null;
  device: string;
  deleteOnTermination: boolean;
  createdAt: number;
  tags: Map<string, string>;
};

const fields: Fields<Volume> = {
  'volume-id': (volume) => [volume.id],
  status: (volume) => [volume.state],
  'availability-zone': (volume) => [volume.zone],
  'attachment.instance-id': (volume) => [volume.instanceId],
  'attachment.delete-on-termination': (volume) => [String(volume.deleteOnTermination)],
  'volume-type': (volume) => [volume.type],
  size: (volume) => [String(volume.sizeGb)],
  encrypted: (volume) => [String(volume.encrypted)],
};

export type Volumes = ReturnType<typeof createVolumes>;

export function createVolumes() {
  const volumes = new Map<string, Volume>();
  let order = 0;

  const known = (ids: readonly string[]): Volume[] => {
    checkIds('vol', ids, 'InvalidParameterValue');
    return ids.map(
      (id) => volumes.get(id) ?? refuse('InvalidVolume.NotFound', `The volume '${id}' does not exist.`),
    );
  };

  return {
    /** The root volume of a new instance. */
    attach(instance: SimInstance, disk: Pick<Volume, 'sizeGb' | 'type' | 'deleteOnTermination'>): void {
      const { id, encrypted, tags } = instance.volume;
      volumes.set(id, {
        order: order++,
        id,
        encrypted,
        tags,
        zone: instance.zone,
        state: 'in-use',
        instanceId: instance.id,
        device: instance.rootDevice,
        createdAt: instance.launchedAt,
        ...disk,
      });
    },

    /** Its instance is terminated. */
    release(id: string): void {
      const volume = volumes.get(id);
      if (volume === undefined) return;
      if (volume.deleteOnTermination) volumes.delete(id);
      else Object.assign(volume, { state: 'available', instanceId: null });
    },

    /** DeleteVolume. */
    remove(id: string): void {
      const [volume] = known([id]);
      if (volume?.state === 'in-use') {
        refuse('VolumeInUse', `Volume ${id} is currently attached to ${volume.instanceId ?? ''}`);
      }
      volumes.delete(id);
    },

    find: (id: string): Volume | null => volumes.get(id) ?? null,

    describe(query: Query) {
      const some = query.ids.length > 0 ? known(query.ids) : [...volumes.values()];
      return pageOf(matching(some, query.filters, fields), query.page);
    },
  };
}
