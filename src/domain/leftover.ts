// Things in EC2 beside instances that carry an owner's tag and may outlive their use: volumes without an instance, open
// spot requests, launch templates.
import type { EpochMs } from './units.ts';

export type LeftoverKind = 'volume' | 'spot-request' | 'launch-template';

export type Leftover = {
  kind: LeftoverKind;
  /** `vol-…`, `sir-…` or `lt-…`. */
  id: string;
  /** EC2's state of it (`available`, `open`), or a template's name. */
  detail: string;
  createdAt: EpochMs;
  tags: Readonly<Record<string, string>>;
};
