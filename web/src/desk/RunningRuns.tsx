import { Anchor, Group, Progress, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';

import type { ListedJob } from '../api/desk';
import { stageOf } from '../app/stages';
import { duration, number, percent, plural } from '../numbers/format';

export function RunningRuns({ jobs }: { jobs: readonly ListedJob[] }) {
  return (
    <Stack gap="md">
      {jobs.map((job) => (
        <Running key={job.id} job={job} />
      ))}
    </Stack>
  );
}

function Running({ job: { id, name, state, cancelling, progress } }: { job: ListedJob }) {
  const share = progress?.share ?? 0;
  const stage = progress?.stage ?? state;
  return (
    <div>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Anchor component={Link} to={`/runs/${id}`} fw={600} className="name">
          {name}
        </Anchor>
        <Text size="sm" c="dimmed" ta="right">
          {cancelling ? 'Cancelling' : stageOf(stage)}
        </Text>
      </Group>
      <Progress value={100 * share} my={6} aria-label={`Progress of ${name}`} transitionDuration={0} />
      <Text size="sm" c="dimmed">
        {percent(share, 0)}
        {progress?.total ? `, ${number(progress.done)} of ${plural(progress.total, 'trial')}` : ''}
        {progress?.eta_seconds ? `, about ${duration(progress.eta_seconds)} of search left` : ''}
      </Text>
    </div>
  );
}
