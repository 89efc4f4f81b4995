/** The numbers behind a chart: its table, its CSV file, and what the keyboard reads. */

export interface Column {
  name: string;
  format: (value: number) => string;
}

export interface Row {
  label: string;
  /** One for each column; null where there is none. */
  values: readonly (number | null)[];
}

/** An array, or items that are made when they are read: to keep those of a long run would take megabytes. */
export interface Many<Item> {
  readonly length: number;
  at: (place: number) => Item | undefined;
}

export interface ChartTable {
  /** Heading of the labels. */
  label: string;
  columns: readonly Column[];
  rows: Many<Row>;
}

/** Items that are made when they are read, from others. */
export function each<From, Item>(items: Many<From>, make: (item: From, place: number) => Item): Many<Item> {
  return {
    length: items.length,
    at: (place) => {
      const item = items.at(place);
      return item === undefined ? undefined : make(item, place);
    },
  };
}

export function all<Item>(items: Many<Item>): Item[] {
  return Array.from({ length: items.length }, (_, place) => items.at(place) as Item);
}

export interface Place {
  row: number;
  column: number;
}

const STEPS = 50;
const ALL_POINTS = 200;

/** Where a key leads: arrows, Home and End; null for other keys. Long series move by a fiftieth. */
export function moved(place: Place | null, key: string, table: ChartTable): Place | null {
  const rows = table.rows.length;
  const columns = table.columns.length;
  if (rows === 0 || columns === 0) return null;
  const step = rows > ALL_POINTS ? Math.round(rows / STEPS) : 1;
  const { row, column } = place ?? { row: key === 'ArrowLeft' ? rows : -step, column: 0 };
  const within = (value: number, count: number) => Math.min(Math.max(value, 0), count - 1);
  switch (key) {
    case 'ArrowRight':
      return { row: within(row + step, rows), column };
    case 'ArrowLeft':
      return { row: within(row - step, rows), column };
    case 'ArrowDown':
      return { row: within(row, rows), column: (column + 1) % columns };
    case 'ArrowUp':
      return { row: within(row, rows), column: (column + columns - 1) % columns };
    case 'Home':
      return { row: 0, column };
    case 'End':
      return { row: rows - 1, column };
    default:
      return null;
  }
}

/** What stands at a place: `23 Nov 2026, strategy: 62.0%`. */
export function reading({ row, column }: Place, table: ChartTable, nothing: string): string {
  const entry = table.rows.at(row);
  const heading = table.columns[column];
  if (entry === undefined || heading === undefined) return '';
  const value = entry.values[column];
  return `${entry.label}, ${heading.name}: ${typeof value === 'number' ? heading.format(value) : nothing}`;
}

/** RFC 4180, with the values in full precision. */
export function csv(table: ChartTable): string {
  const lines = [
    [table.label, ...table.columns.map(({ name }) => name)],
    ...all(table.rows).map(({ label, values }) => [
      label,
      ...values.map((value) => (value === null ? '' : String(value))),
    ]),
  ];
  return lines.map((cells) => cells.map(quoted).join(',')).join('\r\n') + '\r\n';
}

/** A text that begins like a formula would be computed by a spreadsheet. */
function quoted(cell: string): string {
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
