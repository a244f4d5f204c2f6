// Docker's `filters` query in its two spellings, {"label":["a=b"]} and {"label":{"a=b":true}}.
// A filter that is not known matches all, as an emulator must not hide what it does not understand.

type Filtered = { id: string; name: string; labels: Readonly<Record<string, string>>; status?: string };

function valuesOf(filter: unknown): string[] {
  if (Array.isArray(filter)) return filter.map(String);
  if (typeof filter === 'object' && filter !== null) return Object.keys(filter);
  return [];
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', ...rest] = wanted.split('=');
  return Object.hasOwn(labels, key) && (rest.length === 0 || labels[key] === rest.join('='));
}

/** Whether a container, network or volume passes all filters: all labels, any status, any name or id. */
export function matchesFilters(filters: string | null, one: Filtered): boolean {
  let parsed: unknown;
  try {
    parsed = JSON.parse(filters ?? '{}');
  } catch {
    return true;
  }
  return Object.entries(parsed ?? {}).every(([kind, filter]) => {
    const values = valuesOf(filter);
    if (kind === 'label') return values.every((value) => hasLabel(one.labels, value));
    if (kind === 'status') return values.includes(one.status ?? '');
    if (kind === 'name') return values.some((value) => one.name.includes(value.replace(/^\//, '')));
    if (kind === 'id') return values.some((value) => one.id.startsWith(value));
    return true;
  });
}
