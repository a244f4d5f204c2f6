// What a verb sees of its process: two streams, the environment, the terminal and the clock. Verbs take it as an
// argument, so tests run them without a process. Trap: `out` is for the answer alone; remarks and questions go to `err`.

export type CliIo = {
  /** Writes to stdout as given: the text brings its own line ends. */
  out(text: string): void;
  /** Writes to stderr as given. */
  err(text: string): void;
  env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal. */
  isTty: boolean;
  /** Milliseconds since 1970. */
  now(): number;
  /** Asks a person and gives the line typed; absent when nobody can answer (stdin is not a terminal). */
  ask?(question: string): Promise<string>;
  /** Why this user cannot close connections to lost hosts, null = it can; absent: not tried. */
  resetTrouble?(): Promise<string | null>;
};
