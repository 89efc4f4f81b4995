/** Three-way merge of a form, field by field. */

export interface Conflict {
  /** Path of the field, such as `config.lookback_days`. */
  field: string;
  mine: unknown;
  theirs: unknown;
}

export interface Merge<Form> {
  /** With both sides' changes; where both changed a field to different values, with mine. */
  merged: Form;
  conflicts: readonly Conflict[];
  /** Fields that only the other side changed. */
  taken: readonly string[];
}

type Node = Record<string, unknown>;

/** Merges the changes of two forms that began as `base`. */
export function merge<Form extends object>(base: Form, mine: Form, theirs: Form): Merge<Form> {
  const [before, here, there] = [fieldsOf(base), fieldsOf(mine), fieldsOf(theirs)];
  const conflicts: Conflict[] = [];
  const taken: [string, unknown][] = [];
  for (const field of new Set([...here.keys(), ...there.keys()])) {
    const [old, own, other] = [before.get(field), here.get(field), there.get(field)];
    if (equal(own, other) || equal(old, other)) continue;
    if (equal(old, own)) taken.push([field, other]);
    else conflicts.push({ field, mine: own, theirs: other });
  }
  return { merged: withFields(mine, taken), conflicts, taken: taken.map(([field]) => field) };
}

/** The form with the other side's values at the conflicts. */
export function takeTheirs<Form extends object>(merged: Form, conflicts: readonly Conflict[]): Form {
  return withFields(
    merged,
    conflicts.map(({ field, theirs }) => [field, theirs]),
  );
}

/** Paths of the fields that differ. */
export function changedFields(before: object, after: object): string[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  return [...new Set([...old.keys(), ...now.keys()])].filter(
    (field) => !equal(old.get(field), now.get(field)),
  );
}

/** Values by path; a list is one value. */
function fieldsOf(form: object, prefix = ''): Map<string, unknown> {
  return new Map(
    Object.entries(form).flatMap(([name, value]) =>
      isNode(value) ? [...fieldsOf(value, `${prefix}${name}.`)] : [[`${prefix}${name}`, value] as const],
    ),
  );
}

function withFields<Form extends object>(form: Form, changes: readonly (readonly [string, unknown])[]): Form {
  const copy = structuredClone(form) as Node;
  for (const [field, value] of changes) {
    const path = field.split('.');
    const last = path.pop() ?? field;
    let node = copy;
    for (const name of path) {
      if (!isNode(node[name])) node[name] = {};
      node = node[name] as Node;
    }
    if (value === undefined) delete node[last];
    else node[last] = value;
  }
  return copy as Form;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
