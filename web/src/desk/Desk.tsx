import { Button, Group, SimpleGrid, Stack } from '@mantine/core';
import { Link } from 'react-router';

import { useDeskQuery, type Desk } from '../api/desk';
import { Page, Panel } from '../app/Page';
import { Answered, Empty } from '../app/states';
import { Approvals } from './Approvals';
import { EndedRuns } from './EndedRuns';
import { FirstSteps, isBeginning } from './FirstSteps';
import { RunDemo } from './RunDemo';
import { RunningRuns } from './RunningRuns';
import { StaleData } from './StaleData';

const ACTIVE_MS = 1_500;
const QUIET_MS = 15_000;

/** The home: what waits for a decision, what runs, what ended, what is out of date. */
export function Component() {
  const current = useDeskQuery();
  const active = (current.data?.active.length ?? 0) > 0;
  const desk = useDeskQuery(undefined, {
    pollingInterval: active ? ACTIVE_MS : QUIET_MS,
    skipPollingIfUnfocused: true,
    refetchOnFocus: true,
    refetchOnMountOrArgChange: true,
  });
  return (
    <Page
      title="Desk"
      tab={titleOf(desk.data)}
      lead="State a mandate, and hundreds of allocations between a risky asset and cash are tried for it. Four agents judge where to look; code computes every number. The answer says how much of the advantage is luck, and “keep your rule” is a frequent one."
      actions={
        desk.data === undefined || isBeginning(desk.data) ? undefined : (
          <Group gap="xs">
            <RunDemo variant="default" />
            <Button component={Link} to="/strategies">
              Ask about a rule
            </Button>
          </Group>
        )
      }
    >
      <Answered query={desk}>
        {(data) => (
          <Stack gap="md">
            {isBeginning(data) && <FirstSteps desk={data} />}
            <Approvals questions={data.approvals} waiting={data.waiting} />
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
              <Panel title="Running">
                {data.active.length === 0 ? (
                  <Empty title="Nothing runs">A search appears here with its progress while it works.</Empty>
                ) : (
                  <RunningRuns jobs={data.active} />
                )}
              </Panel>
              <Panel title="Ended">
                {data.ended.length === 0 ? (
                  <Empty title="No result yet">A search ends with a verdict, which stands here first.</Empty>
                ) : (
                  <EndedRuns jobs={data.ended} />
                )}
              </Panel>
            </SimpleGrid>
            <StaleData datasets={data.stale_data} runs={data.stale_runs} />
          </Stack>
        )}
      </Answered>
    </Page>
  );
}

function titleOf(desk: Desk | undefined): string {
  const waiting = desk?.approvals.length ?? 0;
  return waiting > 0 ? `${waiting} waiting - Desk` : 'Desk';
}
