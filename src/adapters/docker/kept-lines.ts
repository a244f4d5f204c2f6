// Connections kept to hosts: an agent for each, the least lately used ones ended when there are too many.
// Trap: an agent with a request under way must not be ended; it is passed over, so that for a moment there may be more.
import { Agent } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { DockerHost, DockerTls } from '../../ports/docker.ts';

/**
 * A kept TLS connection takes some 70 KB, and 100 looks a second that come back within 5 s need 500 of them (design §4).
 * With more hosts than that a look comes back later, and a new connection is cheaper than 10,000 idle ones: 0.9 GB.
 */
export const LINES_KEPT = 500;

/** Cleaning removes containers side by side; more connections than this do not make dockerd faster. */
const MAX_SOCKETS = 4;

/** The manager's own certificate, and that of a host of an earlier authority now and then. */
const CONTEXTS_KEPT = 8;

type Line = { agent: Agent; cert: string; address: string };

export type KeptLines = {
  /** The host's agent; a new one when its certificate changed. */
  agentFor(host: DockerHost): Agent;
  /** Ends the connections of an address. */
  forget(address: string): void;
  /** Hosts with an agent now. */
  count(): number;
};

function isAtRest({ agent }: Line): boolean {
  return Object.keys(agent.sockets).length === 0 && Object.keys(agent.requests).length === 0;
}

/**
 * TLS contexts, one for all hosts that the same certificate opens. Made per connection they would be what fills the
 * memory: the collector does not see the 50 KB that each holds outside its heap.
 */
function createContexts(): (tls: DockerTls) => SecureContext {
  const kept = new Map<string, SecureContext>();
  return ({ ca, cert, key }) => {
    const name = `${cert}${ca}`;
    const context = kept.get(name) ?? createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' });
    kept.delete(name);
    kept.set(name, context);
    const [oldest] = kept.keys();
    if (kept.size > CONTEXTS_KEPT && oldest !== undefined) kept.delete(oldest);
    return context;
  };
}

/** No connections yet; at most about `most` hosts are kept. */
export function createKeptLines(most: number = LINES_KEPT): KeptLines {
  /** In the order of their last use. */
  const lines = new Map<string, Line>();
  const contextOf = createContexts();

  function end(key: string, line: Line): void {
    line.agent.destroy();
    lines.delete(key);
  }

  function makeRoom(): void {
    if (lines.size < most) return;
    for (const [key, line] of lines) {
      if (!isAtRest(line)) continue;
      end(key, line);
      return;
    }
  }

  return {
    count: () => lines.size,
    agentFor(host) {
      const key = `${host.address} ${host.port}`;
      const known = lines.get(key);
      if (known !== undefined && known.cert === host.tls.cert) {
        lines.delete(key);
        lines.set(key, known);
        return known.agent;
      }
      if (known !== undefined) end(key, known);
      makeRoom();
      const agent = new Agent({
        keepAlive: true,
        maxSockets: MAX_SOCKETS,
        maxFreeSockets: 1,
        secureContext: contextOf(host.tls),
      });
      lines.set(key, { agent, cert: host.tls.cert, address: host.address });
      return agent;
    },
    forget(address) {
      for (const [key, line] of lines) if (line.address === address) end(key, line);
    },
  };
}
