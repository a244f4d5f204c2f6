// The database's tables, by version. A version only adds: a daemon one version older still finds what it knows.
// Trap: never edit a migration that was released; append a new one.

/** Applied in order; the index + 1 is the `user_version` it leads to. */
export const migrations: readonly string[] = [
  `
  create table machines (id text primary key, gone_at integer, body text not null) strict;
  create table machine_tls (machine text primary key, cert text not null, key text not null) strict;
  create table leases (name text primary key, body text not null) strict;
  create table launches (token text primary key, settled_at integer, body text not null) strict;
  create table rests (key text primary key, body text not null) strict;
  create table memories (pool text primary key, body text not null) strict;
  create table boots (seq integer primary key autoincrement, pool text not null, ms integer not null) strict;
  create index boots_pool on boots (pool, seq);
  create table events (
    seq integer primary key autoincrement, at integer not null, code text not null,
    pool text, machine text, lease text, text text not null, detail text not null
  ) strict;
  create index events_machine on events (machine, seq) where machine is not null;
  create index events_lease on events (lease, seq) where lease is not null;
  create table stores (path text primary key) strict;
  create table facts (name text primary key, value text not null) strict;
  `,
  // The authority that a machine's server certificate comes from: a new one serves new machines only.
  `alter table machine_tls add column ca text;`,
  // What machines cost, by stretches of use.
  `create table costs (seq integer primary key autoincrement, until integer not null, body text not null) strict;
  create index costs_until on costs (until);`,
];
