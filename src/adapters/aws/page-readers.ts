// The readers of large answers by name, as the main thread and the worker share them. No SDK imports: the worker must
// start in some ten milliseconds.
import { type InstancePage, readInstancePage } from './read-instances.ts';
import { readSpotRequestPage, type SpotRequestPage } from './read-spot-requests.ts';

export type Pages = { instances: InstancePage; spotRequests: SpotRequestPage };

export type ReaderName = keyof Pages;

/** Each reads one whole answer from its XML, or throws a plain Error. */
export const readers: { readonly [R in ReaderName]: (xml: string) => Pages[R] } = {
  instances: readInstancePage,
  spotRequests: readSpotRequestPage,
};
