import { Anchor, Badge, Button, Table } from '@mantine/core';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';

import { useCloneScenarioMutation, useScenariosQuery, type ScenarioEntry } from '../api/scenarios';
import { choiceName } from '../app/fields';
import { NameDialog } from '../app/NameDialog';
import { Page, Panel } from '../app/Page';
import { Answered } from '../app/states';
import { Term } from '../app/Term';
import { number, percent, title } from '../numbers/format';
import { Correlations } from './Correlations';
import { IDENTIFIER, IDENTIFIER_ABOUT } from './names';
import classes from './scenarios.module.css';

/** The worlds in which strategies are tested, and the check of a correlation matrix. */
export function Component() {
  const scenarios = useScenariosQuery();
  const [source, setSource] = useState<string | null>(null);
  return (
    <Page
      title="Scenarios"
      lead="A scenario is a world to test strategies in: its paths, its mean and its volatility. The built-in ones follow your prices; a copy stays as you state it."
    >
      <div className={classes.stack}>
        <Panel title="Library">
          <Answered query={scenarios}>{(entries) => <Entries entries={entries} copy={setSource} />}</Answered>
        </Panel>
        <Correlations />
      </div>
      {source !== null && <CopyDialog source={source} close={() => setSource(null)} />}
    </Page>
  );
}

/** Asks for the name of a copy and opens it. */
export function CopyDialog({ source, close }: { source: string; close: () => void }) {
  const [clone] = useCloneScenarioMutation();
  const navigate = useNavigate();
  return (
    <NameDialog
      title={`Copy ${title(source)}`}
      description={IDENTIFIER_ABOUT}
      initial={`my_${source}`}
      pattern={IDENTIFIER}
      submit="Copy"
      close={close}
      act={async (name) => {
        const answer = await clone({ source, name });
        if (answer.data !== undefined) void navigate(`/scenarios/${name}`);
        return answer.error;
      }}
    />
  );
}

function Entries({ entries, copy }: { entries: readonly ScenarioEntry[]; copy: (name: string) => void }) {
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Name</Table.Th>
            <Table.Th scope="col">Paths drawn by</Table.Th>
            <Table.Th scope="col" ta="right">
              Mean return
            </Table.Th>
            <Table.Th scope="col" ta="right">
              <Term name="Volatility" />
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Cash
            </Table.Th>
            <Table.Th scope="col" ta="right">
              <Term name="Sharpe ratio" />
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Probability
            </Table.Th>
            <Table.Th scope="col" aria-label="Acts" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {entries.map((entry) => (
            <Row key={entry.scenario.name} entry={entry} copy={copy} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Row({
  entry: { scenario, own, figures },
  copy,
}: {
  entry: ScenarioEntry;
  copy: (name: string) => void;
}) {
  const { name, engine = '', mu, sigma, cash_rate: cash, probability = 0 } = scenario;
  const sharpe = figures.find(({ id }) => id === `scenario_${name}_sharpe`)?.value;
  return (
    <Table.Tr>
      <Table.Td>
        <Anchor component={Link} to={`/scenarios/${name}`} fw={600} mr="xs">
          {title(name)}
        </Anchor>
        {own && <Badge variant="default">yours</Badge>}
      </Table.Td>
      <Table.Td>{choiceName(engine)}</Table.Td>
      <Table.Td ta="right">{percent(mu)}</Table.Td>
      <Table.Td ta="right">{percent(sigma)}</Table.Td>
      <Table.Td ta="right">{percent(cash)}</Table.Td>
      <Table.Td ta="right">{typeof sharpe === 'number' ? number(sharpe, 2) : ''}</Table.Td>
      <Table.Td ta="right">{percent(probability, 0)}</Table.Td>
      <Table.Td ta="right">
        <Button
          size="compact-xs"
          variant="subtle"
          onClick={() => copy(name)}
          aria-label={`Copy ${title(name)}`}
        >
          Copy
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}
