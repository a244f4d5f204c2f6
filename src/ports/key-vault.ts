// Where the keys are kept: a few small secret texts by name, each made once and never replaced.
// Trap: what is kept there is on hosts already. Nothing may overwrite it; a second maker takes what the first one made.

export interface KeyVault {
  /** For messages: a folder, or `ssm:/hostler/ci in eu-central-1`. */
  readonly place: string;
  /** The text of that name, or null. Throws `state-unusable` or `cloud-refused` when it cannot be known. */
  read(name: string): Promise<string | null>;
  /** Stores `text` unless there is one, and gives the one that stands. Atomic among processes. */
  make(name: string, text: string): Promise<string>;
}
