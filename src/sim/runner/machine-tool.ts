// What the runner spawns to have and end Docker hosts: the calls of `docker-machine` as the runner makes them. hostler's
// door or the peer stands behind it; the runner knows neither.
// Trap: a call is a process of its own. It outlives its runner and its job unless it notices by itself that its parent is
// gone, or is hit by a signal to the whole group.

export type Signal = 'TERM' | 'QUIT' | 'KILL';

/** One spawned process, as it sees its surroundings. */
export type ToolCall = {
  /** The runner's process: it is another one after a restart. */
  readonly parent: number;
  /** The parent has ended; the call is an orphan. */
  parentGone(): boolean;
  /** Told once when the parent ends; at once if it has ended. Returns how not to be told. */
  onParentGone(listener: () => void): () => void;
  /** Signals that reach the call itself: KILL when it took too long or with the group, TERM and QUIT with the group. */
  onSignal(listener: (signal: Signal) => void): () => void;
};

/** true: exit code 0. A promise that never settles is a process that hangs. */
export type MachineTool = {
  /** Sub-folders of `machines/` in the runner's store; the runner picks those of its own sections. */
  names(): readonly string[];
  /** Told when `names()` may answer otherwise. Without it the runner looks at every poll, which costs simulated days. */
  onNames?(listener: () => void): () => void;
  /** Whether NAME's folder holds a config.json: the runner looks itself before it removes. */
  hasConfig(name: string): boolean;
  /** `options` of the section, `name` last. */
  create(name: string, call: ToolCall, section: string): Promise<boolean>;
  config(name: string, call: ToolCall): Promise<boolean>;
  /** `tcp://IP:2376`, or null for any other exit code than 0. */
  url(name: string, call: ToolCall): Promise<string | null>;
  /** `inspect NAME -f {{.HostOptions.AuthOptions.StorePath}}`: false when the runner cannot have the certificates. */
  storePath(name: string, call: ToolCall): Promise<boolean>;
  /** `inspect NAME`: whether it exists. */
  inspect(name: string, call: ToolCall): Promise<boolean>;
  stop(name: string, call: ToolCall): Promise<boolean>;
  /** `rm -y NAME` or `rm -f NAME`. */
  remove(name: string, how: 'y' | 'f', call: ToolCall): Promise<boolean>;
};
