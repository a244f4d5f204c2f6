// What an EC2 call of the emulator is, and the readings that many of them share.

import { refuse } from '../sim/ec2-error.ts';
import type { Region } from '../sim/region.ts';
import type { Tag } from '../sim/tags.ts';
import { readTags } from './ec2-requests.ts';
import type { QueryParams } from './query-params.ts';
import type { XmlValue } from './xml.ts';

export type Fields = Readonly<Record<string, XmlValue>>;

/** Serves one call: the XML elements of its answer, or an Ec2Error. */
export type Ec2Action = (region: Region, params: QueryParams) => Fields;

/** One page of a Describe call. */
export const paged = <T>(
  name: string,
  page: { things: readonly T[]; nextToken: string | null },
  xml: (thing: T) => XmlValue,
): Fields => ({ [name]: page.things.map(xml), nextToken: page.nextToken });

/** Tags that a call asks for on what it makes. */
export const tagsFor = (params: QueryParams, resource: string): Tag[] =>
  params
    .structs('TagSpecification')
    .filter((specification) => specification.text('ResourceType') === resource)
    .flatMap((specification) => readTags(specification));

/** A parameter that may not be left out. Throws MissingParameter. */
export const required = (params: QueryParams, name: string): string =>
  params.text(name) ?? refuse('MissingParameter', `The request must contain the parameter ${name}`);
