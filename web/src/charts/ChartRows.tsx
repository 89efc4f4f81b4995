import { ScrollArea, Table } from '@mantine/core';

import { NOTHING } from '../numbers/format';
import { all, type ChartTable } from './table';

interface Props {
  table: ChartTable;
  caption: string;
  height: number;
}

export function ChartRows({ table, caption, height }: Props) {
  return (
    <ScrollArea h={height} type="auto" viewportProps={{ tabIndex: 0, 'aria-label': caption, role: 'group' }}>
      <Table stickyHeader aria-label={caption}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{table.label}</Table.Th>
            {table.columns.map(({ name }) => (
              <Table.Th key={name} scope="col" ta="right">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {all(table.rows).map(({ label, values }) => (
            <Table.Tr key={label}>
              <Table.Th scope="row" fw={400}>
                {label}
              </Table.Th>
              {table.columns.map(({ name, format }, index) => {
                const value = values[index];
                return (
                  <Table.Td key={name} ta="right">
                    {typeof value === 'number' ? format(value) : NOTHING}
                  </Table.Td>
                );
              })}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea>
  );
}
