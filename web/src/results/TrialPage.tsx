import { Button, Group, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';

import { useRunRequestQuery } from '../api/jobs';
import { fieldsOf, useCatalogueQuery, type Catalogue } from '../api/catalogue';
import { useTrialQuery, type Trial } from '../api/results';
import { isMissing } from '../api/problem';
import type { Failure } from '../api/service';
import { NoSuchPage } from '../app/errors';
import { labelOf, textOf } from '../app/fields';
import { NameDialog } from '../app/NameDialog';
import { Page, Panel } from '../app/Page';
import { Answered } from '../app/states';
import { number, title } from '../numbers/format';
import { useCreateStrategyMutation, type NewStrategy } from '../strategy/requests';
import { Facts } from './Facts';
import { LimitRows } from './LimitRows';
import { configurationWords, metricValue } from './numbers';
import { Rows } from './Rows';

/** `/runs/:id/trials/:digest`: one configuration of a search with all that was measured of it. */
export function Component() {
  const { id = '', digest = '' } = useParams();
  const trial = useTrialQuery({ job: id, digest });
  const catalogue = useCatalogueQuery();
  if (trial.data === undefined && isMissing(trial.error as Failure)) return <NoSuchPage />;
  const name = trial.data === undefined ? 'Trial' : `Trial ${number(trial.data.number)}`;
  return (
    <Page
      title={name}
      tab={`${name} - Results`}
      lead={
        trial.data && (
          <>
            {configurationWords(trial.data.config)}. All numbers are in sample: the best of many trials looks
            better than it is.
          </>
        )
      }
      actions={
        <Group gap="xs">
          <Button component={Link} variant="default" to={`/runs/${id}/results?tab=trials`}>
            All trials
          </Button>
          {trial.data && <SaveStrategy job={id} trial={trial.data} />}
        </Group>
      }
    >
      <Answered query={trial}>
        {(content) => (
          <Answered query={catalogue}>{(data) => <Content trial={content} catalogue={data} />}</Answered>
        )}
      </Answered>
    </Page>
  );
}

function Content({ trial, catalogue }: { trial: Trial; catalogue: Catalogue }) {
  const evaluations = [...trial.evaluations, trial.train];
  const fields = fieldsOf(catalogue, 'configuration');
  const facts = Object.entries(trial.config).flatMap(([name, value]) =>
    value === null || value === undefined
      ? []
      : [
          [
            labelOf(name),
            textOf(
              value,
              fields.find((field) => field.name === name),
            ),
          ] as const,
        ],
  );
  return (
    <Stack>
      <Panel title="Configuration">
        <Facts
          facts={[
            ...facts,
            ['Proposed by', `${title(trial.origin)}, round ${number(trial.round + 1)}`],
            ['Simulated', trial.screened ? 'Screened out after few paths' : 'On all paths'],
          ]}
        />
        <Text size="xs" c="dimmed" ff="monospace">
          {trial.digest}
        </Text>
      </Panel>
      {trial.limits.length > 0 && (
        <Panel>
          <LimitRows title="Its limits" checks={trial.limits} />
        </Panel>
      )}
      <Panel>
        <Rows
          title="In each scenario, and on the training days"
          heads={['A year, after costs', ...evaluations.map(({ scenario }) => title(scenario))]}
          rows={catalogue.metrics.flatMap(({ name, label, unit }) => {
            const values = evaluations.map(({ metrics }) => metrics[name as keyof typeof metrics]?.value);
            if (values.every((value) => value === null || value === undefined)) return [];
            return [{ key: name, cells: [label, ...values.map((value) => metricValue(value, unit))] }];
          })}
        />
      </Panel>
    </Stack>
  );
}

function SaveStrategy({ job, trial }: { job: string; trial: Trial }) {
  const [asking, setAsking] = useState(false);
  const request = useRunRequestQuery(job);
  const [create] = useCreateStrategyMutation();
  const navigate = useNavigate();
  if (request.data === undefined) return null;
  const { mandate, universe = 'sp500', name: search } = request.data;
  return (
    <>
      <Button onClick={() => setAsking(true)}>Save as a strategy</Button>
      {asking && (
        <NameDialog
          title="Save this trial as a strategy"
          description="With the mandate of the search"
          initial={`${search} ${trial.number}`.trim()}
          submit="Save"
          close={() => setAsking(false)}
          act={async (name) => {
            const rule = { config: trial.config, mandate } as NewStrategy['rule'];
            const answer = await create({ name, universe, rule });
            if (answer.data !== undefined) void navigate(`/strategies/${answer.data.id}`);
            return answer.error;
          }}
        />
      )}
    </>
  );
}
