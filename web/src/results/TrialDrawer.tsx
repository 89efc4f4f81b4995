import { useCatalogueQuery } from '../api/catalogue';
import { Anchor, Drawer, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';

import { isMissing } from '../api/problem';
import { useTrialQuery, type Trial } from '../api/results';
import type { Failure } from '../api/service';
import { Answered } from '../app/states';
import { number, title } from '../numbers/format';
import { LimitRows } from './LimitRows';
import { configurationWords, metricValue } from './numbers';
import { Rows } from './Rows';
import { useView } from './view';

const SHOWN = ['utility', 'volatility', 'sharpe', 'max_drawdown', 'turnover', 'cost'] as const;

/** One trial with its metrics in every scenario, as `?trial=` names it. */
export function TrialDrawer({ job }: { job: string }) {
  const view = useView();
  const digest = view.get('trial');
  return (
    <Drawer
      opened={digest !== null}
      onClose={() => view.set({ trial: null })}
      position="right"
      size="xl"
      title="A trial"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {digest !== null && <Details job={job} digest={digest} />}
    </Drawer>
  );
}

function Details({ job, digest }: { job: string; digest: string }) {
  const trial = useTrialQuery({ job, digest });
  if (trial.data === undefined && isMissing(trial.error as Failure)) {
    return <Text size="sm">This run has no such trial. The link may be cut off.</Text>;
  }
  return <Answered query={trial}>{(content) => <Metrics job={job} trial={content} />}</Answered>;
}

function Metrics({ job, trial }: { job: string; trial: Trial }) {
  const { data } = useCatalogueQuery();
  const columns = SHOWN.map((name) => ({ name, row: data?.metrics.find((each) => each.name === name) }));
  return (
    <Stack>
      <Text fw={620} fz="lg">
        Trial {number(trial.number)}: {configurationWords(trial.config)}
      </Text>
      <Text size="sm" c="dimmed">
        In sample. {trial.screened ? 'It was screened out after few paths. ' : ''}Proposed by {trial.origin}{' '}
        in round {number(trial.round + 1)}.
      </Text>
      <Anchor component={Link} to={`/runs/${job}/trials/${trial.digest}`}>
        All of its numbers
      </Anchor>
      {trial.limits.length > 0 && <LimitRows title="Its limits" checks={trial.limits} />}
      <Rows
        title="In each scenario, and on the training days"
        heads={['Scenario', ...columns.map(({ name, row }) => row?.label ?? name)]}
        rows={[...trial.evaluations, trial.train].map((evaluation) => ({
          key: evaluation.scenario,
          cells: [
            title(evaluation.scenario),
            ...columns.map(({ name, row }) =>
              metricValue(evaluation.metrics[name].value, row?.unit ?? 'percent'),
            ),
          ],
        }))}
      />
    </Stack>
  );
}
