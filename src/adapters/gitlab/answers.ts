// The parts of GitLab's answers that hostler reads, REST and GraphQL, versions 16 to 19: fields may be absent or null, ids
// are numbers, digits or `gid://…/7`. Everything else in an answer is passed over.
// Trap: one odd entry must not cost the whole list; the readers below skip it and say that something is missing.
import { z } from 'zod';

/** GitLab's own bound on names is 255; a hostile answer gets no further. */
const MOST_TEXT = 500;
/** Tags of one job or runner; GitLab's own bound is 50 … */
const MOST_TAGS = 200;
/** … and characters of all of them: a job costs no more memory than this. */
const MOST_TAG_TEXT = 8_000;

const text = z.string().transform((said) => said.slice(0, MOST_TEXT));
const lax = <T extends z.ZodType>(schema: T) => schema.nullish().catch(null);

/** 7, "7" or "gid://gitlab/Ci::Build/7". */
export const idSchema = z.union([z.int(), z.string().max(200)]).transform((said, context) => {
  const id = typeof said === 'number' ? said : Number(/(?:^|\/)(\d{1,15})$/.exec(said)?.[1] ?? Number.NaN);
  if (Number.isSafeInteger(id) && id >= 0) return id;
  context.addIssue({ code: 'custom', message: 'no id' });
  return z.NEVER;
});

const tags = z
  .array(text)
  .max(MOST_TAGS)
  .refine((all) => all.reduce((sum, tag) => sum + tag.length, 0) <= MOST_TAG_TEXT);
const moment = z
  .string()
  .max(60)
  .transform((said, context) => {
    const at = Date.parse(said);
    if (!Number.isNaN(at)) return at;
    context.addIssue({ code: 'custom', message: 'no time' });
    return z.NEVER;
  });
const seconds = z.number().min(0).max(1e10);

export const restJob = z.object({
  id: idSchema,
  name: lax(text),
  stage: lax(text),
  status: text,
  ref: lax(text),
  tag: lax(z.boolean()),
  tag_list: tags,
  created_at: lax(moment),
  started_at: lax(moment),
  queued_duration: lax(seconds),
  web_url: lax(text),
  pipeline: lax(z.object({ id: lax(idSchema), project_id: lax(idSchema) })),
});
export type RestJob = z.infer<typeof restJob>;

export const restProject = z.object({
  id: idSchema,
  path_with_namespace: lax(text),
  archived: lax(z.boolean()),
  marked_for_deletion_on: lax(text),
  marked_for_deletion_at: lax(text),
  jobs_enabled: lax(z.boolean()),
  builds_access_level: lax(text),
  shared_runners_enabled: lax(z.boolean()),
  group_runners_enabled: lax(z.boolean()),
  last_activity_at: lax(moment),
});
export type RestProject = z.infer<typeof restProject>;

export const restRunner = z.object({
  paused: lax(z.boolean()),
  active: lax(z.boolean()),
  runner_type: lax(text),
  is_shared: lax(z.boolean()),
  tag_list: tags,
  run_untagged: lax(z.boolean()),
  access_level: lax(text),
  projects: lax(z.array(z.object({ id: idSchema, path_with_namespace: lax(text) })).max(10_000)),
  groups: lax(z.array(z.object({ id: idSchema })).max(1_000)),
});

export const restRef = z.object({ protected: lax(z.boolean()) });
export const restVersion = z.object({ version: text });
export const assignedJob = z.object({
  id: idSchema,
  status: text,
  project: lax(z.object({ id: idSchema })),
  pipeline: lax(z.object({ project_id: lax(idSchema) })),
});
export const jobState = z.object({ status: text });

export const graphJob = z.object({
  id: idSchema,
  name: lax(text),
  status: lax(text),
  tags: lax(tags),
  queuedAt: lax(moment),
  createdAt: lax(moment),
  startedAt: lax(moment),
  refName: lax(text),
  createdByTag: lax(z.boolean()),
  webPath: lax(text),
  stage: lax(z.object({ name: lax(text) })),
  project: lax(z.object({ id: idSchema, fullPath: lax(text) })),
  pipeline: lax(z.object({ id: lax(idSchema) })),
});
export type GraphJob = z.infer<typeof graphJob>;

/** Nodes are looked at one by one. */
export const graphConnection = z.object({
  nodes: z.array(z.unknown()).max(200),
  pageInfo: lax(z.object({ hasNextPage: lax(z.boolean()), endCursor: lax(z.string().max(2_000)) })),
});

export const graphAnswer = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: lax(z.array(z.object({ message: lax(text) })).max(100)),
});

/** The entries of a list that fit, and whether all did. */
export function readEach<T>(
  schema: z.ZodType<T>,
  entries: readonly unknown[],
): { read: T[]; whole: boolean } {
  const read: T[] = [];
  for (const entry of entries) {
    const parsed = schema.safeParse(entry);
    if (parsed.success) read.push(parsed.data);
  }
  return { read, whole: read.length === entries.length };
}
