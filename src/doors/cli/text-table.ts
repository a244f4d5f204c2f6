// Aligned columns for people. Widths are of the plain text, colour comes after, and no line ends in blanks.
import type { Paint } from './paint.ts';
import { plain } from './paint.ts';

export type Column<Row> = {
  title: string;
  /** null is shown as `-`. */
  of(row: Row): string | number | null;
  paint?(text: string, row: Row): string;
};

/** Lines of a table with a heading: numbers to the right, the rest to the left, two blanks in between. */
export function drawTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  paint: Paint,
): string[] {
  const cells = columns.map((column) => {
    const values = rows.map((row) => column.of(row));
    const texts = values.map((value) => (value === null ? '-' : plain(String(value))));
    const width = Math.max(column.title.length, ...texts.map((text) => text.length));
    const isRight = values.length > 0 && values.every((value) => value === null || typeof value === 'number');
    return { column, texts, pad: (text: string) => (isRight ? text.padStart(width) : text.padEnd(width)) };
  });
  const last = cells.length - 1;
  const line = (of: (cell: (typeof cells)[number]) => { text: string; paint: (text: string) => string }) =>
    cells
      .map((cell, index) => {
        const { text, paint: colour } = of(cell);
        const padded = index === last ? cell.pad(text).trimEnd() : cell.pad(text);
        return padded.replace(text, () => colour(text));
      })
      .join('  ')
      .trimEnd();
  return [
    line((cell) => ({ text: cell.column.title, paint: paint.dim })),
    ...rows.map((row, index) =>
      line((cell) => ({
        text: cell.texts[index] ?? '',
        paint: (text) => cell.column.paint?.(text, row) ?? text,
      })),
    ),
  ];
}
