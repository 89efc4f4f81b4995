import { SimpleGrid, Stack } from '@mantine/core';

import { useJobsQuery, type JobSummary } from '../api/jobs';
import { Page, Panel } from '../app/Page';
import { Answered, Empty } from '../app/states';
import { EndedList } from './EndedList';
import { RunDemo } from './RunDemo';
import { RunningList } from './RunningList';

const EVERY_MS = 3_000;
const ENDED = new Set<JobSummary['state']>(['completed', 'failed', 'cancelled', 'rejected', 'expired']);

/** The home: what runs, what ended, and the way to a first result. */
export function Component() {
  const jobs = useJobsQuery({ limit: 20 }, { pollingInterval: EVERY_MS, skipPollingIfUnfocused: true });
  return (
    <Page
      title="Desk"
      lead={
        <>
          Stratigos searches hundreds of allocations between a risky asset and cash for your mandate. Four
          agents judge where to look; code computes every number and tests how much of the advantage is luck.
          “Keep your rule” is an answer, and a frequent one.
        </>
      }
      actions={<RunDemo />}
    >
      <Answered query={jobs}>
        {({ items }) => {
          const ended = items.filter(({ state }) => ENDED.has(state));
          const running = items.filter(({ state }) => !ENDED.has(state));
          return (
            <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
              <Panel title="Running">
                {running.length === 0 ? (
                  <Empty title="Nothing runs">A search appears here with its progress while it works.</Empty>
                ) : (
                  <RunningList jobs={running} />
                )}
              </Panel>
              <Panel title="Ended">
                {ended.length === 0 ? (
                  <Empty title="No result yet" action={<Stack mt="xs" />}>
                    The demo takes about ten seconds and ends with a verdict on the S&amp;P 500.
                  </Empty>
                ) : (
                  <EndedList jobs={ended} />
                )}
              </Panel>
            </SimpleGrid>
          );
        }}
      </Answered>
    </Page>
  );
}
