// vCPU quotas of one region, by market and class of instance types. What counts: machines that are placed, and for spot
// also every open request. Without a figure there is no bound.
// Trap: EC2 names the value of an on-demand quota in its refusal and never that of a spot quota.
import { type QuotaClass, quotaClassOf } from '../domain/offering.ts';
import { refuse } from './ec2-error.ts';
import { type InstanceType, instanceType } from './instance-types.ts';
import type { Market } from './run-request.ts';

/** Figures for all regions; set from outside while the world runs. */
export type QuotaLimits = {
  /** `vcpus` null: no bound. */
  set(quota: { market: Market; class: QuotaClass }, vcpus: number | null): void;
  of(market: Market, name: QuotaClass): number;
};

export function createQuotaLimits(): QuotaLimits {
  const limits = new Map<string, number>();
  return {
    set({ market, class: name }, vcpus) {
      if (vcpus === null) limits.delete(`${market}/${name}`);
      else limits.set(`${market}/${name}`, vcpus);
    },
    of: (market, name) => limits.get(`${market}/${name}`) ?? Number.POSITIVE_INFINITY,
  };
}

/** Something that counts against a quota. */
export type Counted = { type: string; market: Market };

export type Quotas = {
  /** Machines of this type that the quota still bears. */
  room(type: InstanceType, market: Market): number;
  /** Throws EC2's refusal unless `count` more are borne. */
  check(type: InstanceType, market: Market, count: number): void;
};

/** `counted`: what stands now in this region. */
export function createQuotas(limits: QuotaLimits, counted: () => Iterable<Counted>): Quotas {
  const room: Quotas['room'] = (type, market) => {
    const name = quotaClassOf(type.name);
    const limit = limits.of(market, name);
    if (limit === Number.POSITIVE_INFINITY) return limit;
    let used = 0;
    for (const one of counted()) {
      if (one.market === market && quotaClassOf(one.type) === name)
        used += instanceType(one.type)?.vcpus ?? 0;
    }
    return Math.max(0, Math.floor((limit - used) / type.vcpus));
  };
  return {
    room,
    check(type, market, count) {
      if (room(type, market) < count) quotaRefusal(limits, type, market);
    },
  };
}

/** EC2's words for a full quota. */
function quotaRefusal(limits: QuotaLimits, type: InstanceType, market: Market): never {
  if (market === 'spot') refuse('MaxSpotInstanceCountExceeded', 'Max spot instance count exceeded');
  const limit = limits.of(market, quotaClassOf(type.name));
  return refuse(
    'VcpuLimitExceeded',
    `You have requested more vCPU capacity than your current vCPU limit of ${limit} allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.`,
  );
}
