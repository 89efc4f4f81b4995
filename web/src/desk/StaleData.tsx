import { Anchor, Text } from '@mantine/core';
import { Link } from 'react-router';

import type { Desk } from '../api/desk';
import { Panel } from '../app/Page';
import { date, plural } from '../numbers/format';
import classes from './EndedRuns.module.css';

interface Props {
  datasets: Desk['stale_data'];
  runs: Desk['stale_runs'];
}

/** Data behind their exchange, and runs on prices that were revised; nothing when all is up to date. */
export function StaleData({ datasets, runs }: Props) {
  if (datasets.length === 0 && runs.length === 0) return null;
  return (
    <Panel title="Out of date">
      <ul className={classes.list}>
        {datasets.map(({ name, freshness }) => (
          <li key={name} className={classes.run}>
            <Text fw={600}>{name}</Text>
            <Text size="sm" c="dimmed">
              ends on {date(freshness.last_day)}, {plural(freshness.days_behind, 'day')} behind: import newer
              prices
            </Text>
          </li>
        ))}
        {runs.map(({ run, dataset, reason, at }) => (
          <li key={run} className={classes.run}>
            <Anchor component={Link} to={`/runs/${run}/results`} fw={600}>
              A result on {dataset}
            </Anchor>
            <Text size="sm" c="dimmed">
              {reason}, since {date(at)}: run it again
            </Text>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
