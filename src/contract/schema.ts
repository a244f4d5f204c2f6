// Schemas of what callers send to the socket. Unknown keys are refused, so that a typing error never passes silently.
import { z } from 'zod';
import { costGroups } from '../domain/cost.ts';
import { NAME_PATTERN } from './store-layout.ts';

/** Longest single option; the longest of the seeds has some 100 characters, user data comes by file. */
const MAX_OPTION_CHARACTERS = 4_096;
/** docker-machine has some 60 flags; lists repeat some of them. */
const MAX_OPTIONS = 500;
/** Linux's own limit for a path. */
const MAX_PATH_CHARACTERS = 4_096;

export const leaseRequestSchema = z.strictObject({
  name: z.string().regex(NAME_PATTERN, 'a machine name has letters, digits, dots, dashes and underscores'),
  driver: z.string().min(1).max(64),
  options: z.array(z.string().min(1).max(MAX_OPTION_CHARACTERS)).max(MAX_OPTIONS),
  store: z.string().startsWith('/', 'the store is an absolute path').max(MAX_PATH_CHARACTERS),
  pid: z.int().min(0),
  runnerPid: z.int().min(0),
});

/** Query texts to values; limits keep one answer small. */
export const eventQuerySchema = z.strictObject({
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(5_000).default(200),
  pool: z.string().min(1).max(200).optional(),
  machine: z.string().min(1).max(200).optional(),
  lease: z.string().min(1).max(255).optional(),
});

/** How many jobs of each queue are named. */
export const queueQuerySchema = z.strictObject({
  jobs: z.coerce.number().int().min(0).max(5_000).default(200),
});

/** `since` in ISO 8601; a week of entries is some tens of thousands. */
export const costQuerySchema = z.strictObject({
  by: z.enum(costGroups).default('project'),
  since: z.iso.datetime().optional(),
});

export const endLeaseQuerySchema = z.strictObject({ by: z.enum(['person', 'runner']).default('runner') });
export const retireSchema = z.strictObject({ force: z.boolean().default(false) });
/** A key names a site, a scope and a place: some 200 characters at most. */
export const breakerSchema = z.strictObject({ key: z.string().min(1).max(500) });
export const cleanupSchema = z.strictObject({ allManagers: z.boolean().default(false) });
export const nothingSchema = z.strictObject({});
