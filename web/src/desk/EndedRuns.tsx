import { Anchor, Group, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';

import type { ListedJob } from '../api/desk';
import { Verdict } from '../app/Verdict';
import { ago, bps, interval, moment, title } from '../numbers/format';
import classes from './EndedRuns.module.css';

export function EndedRuns({ jobs }: { jobs: readonly ListedJob[] }) {
  return (
    <Stack component="ul" gap={0} className={classes.list}>
      {jobs.map((job) => (
        <li key={job.id} className={classes.run}>
          <Group justify="space-between" gap="xs" wrap="nowrap" align="baseline">
            <Anchor component={Link} to={addressOf(job)} fw={600} className="name">
              {job.name}
            </Anchor>
            <Text size="sm" c="dimmed" title={moment(job.updated_at)} className={classes.time}>
              {ago(job.updated_at)}
            </Text>
          </Group>
          <Outcome job={job} />
        </li>
      ))}
    </Stack>
  );
}

function addressOf({ id, state }: ListedJob): string {
  return state === 'completed' ? `/runs/${id}/results` : `/runs/${id}`;
}

/** The verdict before the benefit, which is small and grey where luck explains it. */
function Outcome({ job: { state, result } }: { job: ListedJob }) {
  if (result === null || result === undefined) {
    return (
      <Text size="sm" c="dimmed">
        {title(state)}
      </Text>
    );
  }
  const { verdict, advice, benefit_bps: benefit, benefit_low_bps: low, benefit_high_bps: high } = result;
  return (
    <>
      <Group gap="sm">
        <Verdict colour={verdict} />
        {typeof benefit === 'number' && (
          <Text span size="sm" {...(verdict === 'green' ? { fw: 600 } : { c: 'dimmed' })}>
            {bps(benefit)} a year
            {typeof low === 'number' && typeof high === 'number' && ` (95% interval ${interval(low, high)})`}
          </Text>
        )}
      </Group>
      {advice !== '' && <Text size="sm">{advice}</Text>}
    </>
  );
}
