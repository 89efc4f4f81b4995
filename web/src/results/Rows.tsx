import { ScrollArea, Table, Title } from '@mantine/core';
import type { ReactNode } from 'react';

import { NOTHING } from '../numbers/format';
import classes from './results.module.css';

interface Props {
  title: string;
  /** The first column is the name of the row. */
  heads: readonly string[];
  /** Each begins with a unique key. */
  rows: readonly { key: string; cells: readonly ReactNode[]; chosen?: boolean }[];
  note?: ReactNode;
}

/** A table of a result: names and words to the left, numbers to the right. */
export function Rows({ title, heads, rows, note }: Props) {
  const sides = heads.map((_, column) => {
    const cells = rows.map((row) => row.cells[column]).filter((cell) => cell !== NOTHING);
    const words = cells.length > 0 && cells.every((cell) => typeof cell === 'string' && /^\p{L}/u.test(cell));
    return column === 0
      ? { ta: 'left' as const }
      : words
        ? { ta: 'left' as const, pl: 'lg' }
        : { ta: 'right' as const };
  });
  return (
    <section>
      <Title order={3} mb={4}>
        {title}
      </Title>
      <ScrollArea type="auto" viewportProps={{ tabIndex: 0, 'aria-label': title, role: 'group' }}>
        <Table aria-label={title} highlightOnHover horizontalSpacing={6} className={classes.rows}>
          <Table.Thead>
            <Table.Tr>
              {heads.map((head, column) => (
                <Table.Th key={head} scope="col" {...sides[column]}>
                  {head}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ key, cells, chosen }) => (
              <Table.Tr key={key} fw={chosen ? 600 : undefined}>
                {cells.map((cell, column) =>
                  column === 0 ? (
                    <Table.Th
                      key={heads[column]}
                      scope="row"
                      fw={chosen ? 600 : 400}
                      miw={cells.length > 4 ? 90 : 140}
                    >
                      {cell}
                    </Table.Th>
                  ) : (
                    <Table.Td key={heads[column]} {...sides[column]}>
                      {cell}
                    </Table.Td>
                  ),
                )}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea>
      {note}
    </section>
  );
}
