// Leases a second through the daemon's socket: grant and commit of ready machines, as the door asks for them, without the
// processes around it.
// Trap: the connection that asked stays open until all are committed; its close gives the machine back.
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { Agent, type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { API_HEADER, API_VERSION, type LeaseEvent, type LeaseRequest } from '../src/contract/api.ts';
import { type Bench, withInstallation } from './install.ts';
import { atLeast, informs, median, type Row } from './row.ts';

/** Machines leased in one round. */
const MACHINES = 100;
/** The first rounds find a daemon whose code is still cold: they run, and do not count. */
const WARM_UP = 5;
const ROUNDS = 20;
/** Asked for at once; more would measure this client. */
const AT_ONCE = 16;

const headers = { [API_HEADER]: String(API_VERSION), 'content-type': 'application/json' };

/** Asks for a lease; resolves at its grant with the connection that holds it. */
function ask(socketPath: string, body: LeaseRequest): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', path: '/v1/leases', headers, agent: false });
    asked.on('error', reject);
    asked.on('response', (answer) => {
      let text = '';
      answer.on('error', () => undefined);
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (!text.includes('\n')) return;
        const event = JSON.parse(text.split('\n')[0] ?? '') as LeaseEvent;
        if (event.event === 'granted') resolve(asked);
        else reject(new Error(`no grant: ${text.slice(0, 300)}`));
      });
    });
    asked.end(JSON.stringify(body));
  });
}

function commit(socketPath: string, name: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method: 'POST', path: `/v1/leases/${name}/commit`, headers, agent });
    asked.on('error', reject);
    asked.on('response', (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 200) resolve();
        else reject(new Error(`commit of ${name}: ${answer.statusCode}`));
      });
    });
    asked.end('{}');
  });
}

/** Leases of one round a second. */
async function round(bench: Bench): Promise<number> {
  const { socket, store } = bench.site;
  const options = bench.machineOptions;
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const held: ClientRequest[] = [];
  let left = MACHINES;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const name = bench.newName();
      const { pid } = process;
      held.push(await ask(socket, { name, driver: 'amazonec2', options, store, pid, runnerPid: pid }));
      await commit(socket, name, agent);
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const tookS = (performance.now() - begun) / 1_000;
  for (const connection of held) connection.destroy();
  agent.destroy();
  return MACHINES / tookS;
}

/** Milliseconds of one small write that waits for the disk, as every stored lease does. */
function diskWait(folder: string): number {
  const file = openSync(join(folder, 'disk-wait'), 'w', 0o600);
  const page = Buffer.alloc(4_096, 1);
  const samples = Array.from({ length: 200 }, (_, index) => {
    const begun = performance.now();
    writeSync(file, page, 0, page.length, index * page.length);
    fdatasyncSync(file);
    return performance.now() - begun;
  });
  closeSync(file);
  return median(samples);
}

/** Milliseconds of processor time that a process has used; Linux counts in hundredths of a second, whatever its own tick. */
function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** A daemon with nothing to do uses a twentieth of a processor; cleaning a hundred machines, all of one. */
const REST_MS = 500;
const REST_SHARE = 0.1;

/** Waits until the machines of the round before are cleaned and the daemon is at rest: that work is no part of a lease. */
async function atRest(pid: number): Promise<void> {
  for (let before = processorMs(pid); ; ) {
    await sleep(REST_MS);
    const now = processorMs(pid);
    if (now - before <= REST_MS * REST_SHARE) return;
    before = now;
  }
}

/** The rate, and what bounds it: the daemon's processor time and the wait for the disk. */
export function leases(): Promise<readonly Row[]> {
  return withInstallation({ idle: MACHINES, bootS: 1 }, async (bench) => {
    const rates: number[] = [];
    const costs: number[] = [];
    for (let count = -WARM_UP; count < ROUNDS; count += 1) {
      await bench.ready(MACHINES);
      await atRest(bench.daemonPid);
      const before = processorMs(bench.daemonPid);
      const rate = await round(bench);
      if (count < 0) continue;
      rates.push(rate);
      costs.push((processorMs(bench.daemonPid) - before) / MACHINES);
    }
    return [
      atLeast(`socket: leases, median of ${ROUNDS} rounds of ${MACHINES}`, median(rates), '/s', 1_000),
      informs("socket: the daemon's processor time for one lease, median", median(costs), 'ms'),
      informs('socket: one write that waits for the disk, p50', diskWait(bench.site.folder), 'ms'),
    ];
  });
}
