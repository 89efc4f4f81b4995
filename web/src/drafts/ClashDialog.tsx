import { Button, Group, Modal, Table, Text } from '@mantine/core';

import type { DraftInUse } from './drafts';

interface Props<Form> {
  draft: DraftInUse<Form>;
  /** Label and value of a field as the form shows them. */
  label: (field: string) => string;
  text: (field: string, value: unknown) => string;
}

/** Both sides changed the same fields: the user chooses whose values count. Everything else is merged. */
export function ClashDialog<Form>({ draft, label, text }: Props<Form>) {
  const { clash, keepMine, takeTheirs } = draft;
  const there = clash?.with === 'another tab' ? 'In the other tab' : 'Saved since';
  return (
    <Modal
      opened={clash !== null}
      onClose={keepMine}
      withCloseButton={false}
      size="lg"
      title={
        clash?.with === 'another tab'
          ? 'Another tab changed the same fields'
          : 'A newer version was saved meanwhile'
      }
    >
      <Text size="sm" mb="sm">
        Both sides changed these fields; all their other changes are merged. Nothing is lost: either choice
        can be undone.
      </Text>
      <Table.ScrollContainer
        minWidth={280}
        type="native"
        tabIndex={0}
        role="group"
        aria-label="Fields that both changed"
      >
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Field</Table.Th>
              <Table.Th scope="col" ta="right">
                Here
              </Table.Th>
              <Table.Th scope="col" ta="right">
                {there}
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {clash?.conflicts.map(({ field, mine, theirs }) => (
              <Table.Tr key={field}>
                <Table.Th scope="row" fw={400}>
                  {label(field)}
                </Table.Th>
                <Table.Td ta="right">{text(field, mine)}</Table.Td>
                <Table.Td ta="right">{text(field, theirs)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <Group justify="flex-end" mt="md" gap="xs">
        <Button variant="default" onClick={takeTheirs}>
          Take theirs
        </Button>
        <Button onClick={keepMine} data-autofocus>
          Keep mine
        </Button>
      </Group>
    </Modal>
  );
}
