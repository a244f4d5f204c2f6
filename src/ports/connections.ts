// TCP connections of this machine to a host, whichever process holds them: what was heard on them, and their end.
// Trap: a reset ends connections of other processes (the runner's), so only evidence that the host is gone justifies one.
import type { DurationMs } from '../domain/units.ts';

export type ResetAnswer =
  /** `ended` = how many connections were open and are closed now; none is fine. */
  { kind: 'done'; ended: number } | { kind: 'failed'; why: string };

/**
 * How a port takes a new connection: `speaks` = it said something, `mute` = connected, but not a byte came, `deaf` = no
 * answer of any kind, `refused` = somebody there says no (so somebody is there).
 */
export type Hail = 'speaks' | 'mute' | 'deaf' | 'refused';

export interface Connections {
  /** Closes every TCP connection of this machine to these addresses. Never throws. */
  reset(addresses: readonly string[], signal: AbortSignal): Promise<ResetAnswer>;
  /**
   * How long ago the last byte came in over any open connection of this machine to that address; null = none of them has
   * ever received one, or it cannot be told. Never throws.
   */
  heardMs(address: string, signal: AbortSignal): Promise<DurationMs | null>;
  /** Connects to a port whose server speaks first (SSH) and listens until the signal aborts. Never throws. */
  hail(address: string, port: number, signal: AbortSignal): Promise<Hail>;
  /** Tries a reset on a connection of its own. null = it works, else why not, in words. Never throws. */
  trouble(signal: AbortSignal): Promise<string | null>;
}
