import { Anchor, Button, Group, SimpleGrid, Switch, Table, Text, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { Link, useSearchParams } from 'react-router';

import { useCatalogueQuery } from '../api/catalogue';
import { IconPlus } from '../app/icons';
import { Page, Panel } from '../app/Page';
import { Answered, Empty } from '../app/states';
import { ago, title } from '../numbers/format';
import classes from './Library.module.css';
import { useSetArchivedMutation, useStrategiesQuery, useTemplatesQuery, type Entry } from './requests';

const UNDO_MS = 8_000;

/** The saved strategies, and the templates to begin with. */
export function Component() {
  const [query, setQuery] = useSearchParams();
  const archived = query.get('archived') === '1';
  const strategies = useStrategiesQuery({ archived });
  const templates = useTemplatesQuery();
  const { data: catalogue } = useCatalogueQuery();
  const named = (name: string) =>
    title(catalogue?.weight_functions.find((row) => row.name === name)?.title ?? name);
  return (
    <Page
      title="Strategies"
      lead="A strategy is a rule and the mandate it serves. Each saved version stays as it was."
      actions={
        <Button component={Link} to="/strategies/new" leftSection={<IconPlus size={16} aria-hidden />}>
          New strategy
        </Button>
      }
    >
      <SimpleGrid cols={1} spacing="md">
        <Panel
          title="Saved"
          actions={
            <Switch
              label="Archived too"
              checked={archived}
              onChange={(event) => setQuery(event.currentTarget.checked ? { archived: '1' } : {})}
            />
          }
        >
          <Answered query={strategies}>
            {({ items }) =>
              items.length === 0 ? (
                <Empty title="Nothing saved yet">Begin with a template below, change it, and save it.</Empty>
              ) : (
                <Saved entries={items} named={named} />
              )
            }
          </Answered>
        </Panel>
        <section aria-label="Templates">
          <Title order={2} mb="xs">
            Templates
          </Title>
          <Answered query={templates}>
            {(rows) => (
              <ul className={classes.templates}>
                {rows.map(({ name, title: words, rule }) => (
                  <li key={name}>
                    <Link to={`/strategies/new?template=${name}`} className={classes.template}>
                      <Text fw={600}>{words}</Text>
                      <Text size="sm" c="dimmed">
                        {named(rule.config.weight_function)}, rebalanced {rule.config.rebalancing}
                      </Text>
                    </Link>
                  </li>
                ))}
              </ul>
            )}
          </Answered>
        </section>
      </SimpleGrid>
    </Page>
  );
}

function Saved({ entries, named }: { entries: readonly Entry[]; named: (name: string) => string }) {
  const [setArchived] = useSetArchivedMutation();
  const archive = async ({ id, latest }: Entry) => {
    const answer = await setArchived({ id, archived: true });
    if (answer.error !== undefined) return;
    notifications.show({
      autoClose: UNDO_MS,
      message: (
        <Group justify="space-between">
          {latest.name} is archived.
          <Button size="xs" variant="default" onClick={() => void setArchived({ id, archived: false })}>
            Undo
          </Button>
        </Group>
      ),
    });
  };
  return (
    <Table.ScrollContainer minWidth={480} type="native">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Name</Table.Th>
            <Table.Th scope="col">Rule</Table.Th>
            <Table.Th scope="col">Prices</Table.Th>
            <Table.Th scope="col" ta="right">
              Version
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Saved
            </Table.Th>
            <Table.Th scope="col" aria-label="Acts" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((entry) => (
            <Table.Tr key={entry.id}>
              <Table.Td className="name">
                <Anchor component={Link} to={`/strategies/${entry.id}`} fw={600}>
                  {entry.latest.name}
                </Anchor>
              </Table.Td>
              <Table.Td>{named(entry.latest.rule.config.weight_function)}</Table.Td>
              <Table.Td>{entry.latest.universe}</Table.Td>
              <Table.Td ta="right">{entry.latest.version}</Table.Td>
              <Table.Td ta="right">{entry.latest.saved_at ? ago(entry.latest.saved_at) : ''}</Table.Td>
              <Table.Td ta="right">
                {entry.archived_at === null ? (
                  <Button size="compact-xs" variant="subtle" onClick={() => void archive(entry)}>
                    Archive
                  </Button>
                ) : (
                  <Button
                    size="compact-xs"
                    variant="subtle"
                    onClick={() => void setArchived({ id: entry.id, archived: false })}
                  >
                    Restore
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
