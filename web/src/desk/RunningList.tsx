import { Group, Progress, Stack, Text } from '@mantine/core';

import { useJobQuery, type JobSummary } from '../api/jobs';
import { Answered, Waiting } from '../app/states';
import { duration, percent, plural, title } from '../numbers/format';

const EVERY_MS = 1_500;

export function RunningList({ jobs }: { jobs: readonly JobSummary[] }) {
  return (
    <Stack gap="sm">
      {jobs.map((job) => (
        <Running key={job.id} id={job.id} />
      ))}
    </Stack>
  );
}

function Running({ id }: { id: string }) {
  const job = useJobQuery(id, { pollingInterval: EVERY_MS, skipPollingIfUnfocused: true });
  return (
    <Answered query={job} waiting={<Waiting height={52} />}>
      {({ name, state, progress }) => (
        <div>
          <Group justify="space-between" gap="xs">
            <Text fw={600}>{name}</Text>
            <Text size="sm" c="dimmed">
              {state === 'waiting' ? 'Waits for an approval' : title(progress.stage ?? state)}
            </Text>
          </Group>
          <Progress
            value={100 * (progress.share ?? 0)}
            my={6}
            aria-label={`Progress of ${name}`}
            transitionDuration={0}
          />
          <Text size="sm" c="dimmed">
            {percent(progress.share ?? 0, 0)}
            {progress.total ? `, ${progress.done ?? 0} of ${plural(progress.total, 'trial')}` : ''}
            {progress.eta_seconds ? `, about ${duration(progress.eta_seconds)} of search left` : ''}
          </Text>
        </div>
      )}
    </Answered>
  );
}
