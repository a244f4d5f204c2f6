// Connections kept to hosts: an agent for each host that is asked often, one shared agent for all that are asked seldom.
// Traps: an agent with a request under way must not be ended; it is passed over. Making room for whoever comes last keeps
// nothing at all once hosts take turns and are more than the places: who has a place keeps it as long as it is used.
import { Agent } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { DurationMs } from '../../domain/units.ts';
import { SECOND_MS } from '../../domain/units.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DockerHost, DockerTls } from '../../ports/docker.ts';

/** A kept TLS connection takes some 90 KB, and 100 looks a second that come back within 5 s need 500 of them (design §4). */
export const LINES_KEPT = 500;

/**
 * Only a host that is asked again within this time has a connection kept: three pings of an idle host. At ten thousand hosts
 * a turn takes longer, and what is kept meanwhile serves nobody.
 */
export const BACK_WITHIN_MS: DurationMs = 30 * SECOND_MS;

/** From this turn on: the first two come close together at a daemon's start, the proof that a host is free and its first look. */
const KEPT_FROM_TURN = 3;

/** Cleaning removes containers side by side; more connections than this do not make dockerd faster. */
const MAX_SOCKETS = 4;

/** The manager's own certificate, and that of a host of an earlier authority now and then. */
const CONTEXTS_KEPT = 8;

type Line = { agent: Agent; cert: string; address: string; usedAt: DurationMs };

export type KeptLines = {
  /** The agent to ask the host with; a new one when its certificate changed. */
  agentFor(host: DockerHost): Agent;
  /** Ends the connections of an address. */
  forget(address: string): void;
  /** Hosts with an agent of their own now. */
  count(): number;
};

function isAtRest({ agent }: Line): boolean {
  return Object.keys(agent.sockets).length === 0 && Object.keys(agent.requests).length === 0;
}

/** A way into all hosts that one certificate opens; `passing` keeps no connection. */
type Entry = { context: SecureContext; passing: Agent };

/**
 * TLS contexts, one for all hosts that the same certificate opens. Made per connection they would be what fills the
 * memory: the collector does not see the 50 KB that each holds outside its heap.
 */
function createEntries(): (tls: DockerTls) => Entry {
  const kept = new Map<string, Entry>();
  const make = ({ ca, cert, key }: DockerTls): Entry => {
    const context = createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' });
    return {
      context,
      passing: new Agent({ keepAlive: false, maxCachedSessions: 0, secureContext: context }),
    };
  };
  return (tls) => {
    const name = `${tls.cert}${tls.ca}`;
    const entry = kept.get(name) ?? make(tls);
    kept.delete(name);
    kept.set(name, entry);
    const [oldest] = kept.keys();
    if (kept.size > CONTEXTS_KEPT && oldest !== undefined) kept.delete(oldest);
    return entry;
  };
}

/** Which turn this is of a host that is asked again and again, each time soon enough; 1 is the first. */
function createTurns(): (key: string, now: DurationMs) => number {
  /** In the order of their last turn. */
  const asked = new Map<string, { at: DurationMs; turn: number }>();
  return (key, now) => {
    for (const [old, { at }] of asked) {
      if (now - at <= BACK_WITHIN_MS) break;
      asked.delete(old);
    }
    const turn = (asked.get(key)?.turn ?? 0) + 1;
    asked.delete(key);
    asked.set(key, { at: now, turn });
    return turn;
  };
}

/** No connections yet; at most `most` hosts have theirs kept. */
export function createKeptLines({ clock, most = LINES_KEPT }: { clock: Clock; most?: number }): KeptLines {
  /** In the order of their last use. */
  const lines = new Map<string, Line>();
  const entryOf = createEntries();
  const turnOf = createTurns();

  function end(key: string, line: Line): void {
    line.agent.destroy();
    lines.delete(key);
  }

  function endUnused(now: DurationMs): void {
    for (const [key, line] of lines) {
      if (now - line.usedAt <= BACK_WITHIN_MS) return;
      if (isAtRest(line)) end(key, line);
    }
  }

  return {
    count: () => lines.size,
    agentFor(host) {
      const now = clock.monotonic();
      const key = `${host.address} ${host.port}`;
      const turn = turnOf(key, now);
      endUnused(now);
      const known = lines.get(key);
      if (known !== undefined && known.cert === host.tls.cert) {
        lines.delete(key);
        lines.set(key, { ...known, usedAt: now });
        return known.agent;
      }
      if (known !== undefined) end(key, known);
      const { context, passing } = entryOf(host.tls);
      if (turn < KEPT_FROM_TURN || lines.size >= most) return passing;
      const agent = new Agent({
        keepAlive: true,
        maxSockets: MAX_SOCKETS,
        maxFreeSockets: 1,
        // Each would hold a piece of a buffer of 64 KB.
        maxCachedSessions: 0,
        secureContext: context,
      });
      lines.set(key, { agent, cert: host.tls.cert, address: host.address, usedAt: now });
      return agent;
    },
    forget(address) {
      for (const [key, line] of lines) if (line.address === address) end(key, line);
    },
  };
}
