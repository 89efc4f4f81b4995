import { Anchor, Table, Text } from '@mantine/core';

import type { JobSummary } from '../api/jobs';
import { ago, title } from '../numbers/format';

export function EndedList({ jobs }: { jobs: readonly JobSummary[] }) {
  return (
    <Table>
      <Table.Thead>
        <Table.Tr>
          <Table.Th scope="col">Run</Table.Th>
          <Table.Th scope="col">State</Table.Th>
          <Table.Th scope="col" ta="right">
            Ended
          </Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {jobs.map(({ id, name, state, updated_at: ended }) => (
          <Table.Tr key={id}>
            <Table.Td>
              {state === 'completed' ? (
                <Anchor href={`/api/jobs/${id}/export?format=html`} target="_blank" size="sm">
                  {name}
                </Anchor>
              ) : (
                <Text size="sm">{name}</Text>
              )}
            </Table.Td>
            <Table.Td>{title(state)}</Table.Td>
            <Table.Td ta="right">{ago(ended)}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
