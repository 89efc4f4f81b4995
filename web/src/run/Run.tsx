import { Alert, Anchor, Button, Group, Menu, Progress, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useEffect, useState } from 'react';
import { Link, useParams } from 'react-router';

import { ENDED, useJobQuery, type Job } from '../api/jobs';
import { isMissing, problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { Decision } from '../app/Decision';
import { NoSuchPage } from '../app/errors';
import { IconAlertTriangle } from '../app/icons';
import { Page, Panel } from '../app/Page';
import { stageOf } from '../app/stages';
import { Answered } from '../app/states';
import { Verdict } from '../app/Verdict';
import { clock, dollars, duration, number, percent, plural, sentenceCase } from '../numbers/format';
import { AgentCards } from './AgentCards';
import { useCancelMutation } from './charts';
import { WAYS, type Way } from './connections';
import { EventList } from './EventList';
import type { Following } from './follow';
import { LiveCharts } from './LiveCharts';
import { usePreferredWay, useRun } from './useRun';

const EVERY_MS = 5_000;

export function Component() {
  const { id = '' } = useParams();
  const job = useJobQuery(id, { pollingInterval: EVERY_MS, skipPollingIfUnfocused: true });
  if (job.data === undefined && isMissing(job.error as Failure)) return <NoSuchPage />;
  return <Answered query={job}>{(known) => <LiveRun key={id} job={known} refresh={job.refetch} />}</Answered>;
}

function LiveRun({ job, refresh }: { job: Job; refresh: () => unknown }) {
  const { id, name, state, result } = job;
  const following = useRun(id);
  const { feed, team, steps } = following;
  const progress = feed.progress ?? job.progress;
  const ended = ENDED.has(state);
  const done = following.status === 'ended';
  const waits = feed.kind === 'approval_requested';
  useEffect(() => {
    if (done || waits) refresh();
  }, [done, waits, refresh]);

  const last = job.history.at(-1);
  const failure = last?.state === 'failed' ? sentenceCase(last.reason) : '';
  const share = ended ? 1 : progress.share;
  const trials = progress.total
    ? `${number(progress.done)} of ${plural(progress.total, 'trial')}`
    : `up to ${plural(job.trials, 'trial')}`;
  const cost = Object.values(team).reduce((sum, { dollars: price }) => sum + (price ?? 0), 0);
  return (
    <Page
      title={name}
      tab={ended ? `${stageOf(state)} ${name} - Run` : `${percent(share, 0)} ${name} - Run`}
      lead={
        <Group gap="md">
          <Text span>{ended ? stageOf(state) : job.cancelling ? 'Cancelling' : stageOf(progress.stage)}</Text>
          <Connection following={following} />
        </Group>
      }
      actions={
        <Group gap="xs">
          {state === 'completed' && (
            <Button component={Link} to={`/runs/${id}/results`}>
              Open the results
            </Button>
          )}
          {ended && state !== 'completed' && (
            <Button component={Link} variant="default" to={`/strategies/new?run=${id}`}>
              Change and search again
            </Button>
          )}
          {!ended && <Cancel job={job} />}
        </Group>
      }
    >
      <Stack gap="md">
        {result !== null && result !== undefined && (
          <Panel>
            <Verdict colour={result.verdict} size="lg" />
            <Text mt={4}>{result.advice || result.headline}</Text>
            <Anchor component={Link} to={`/runs/${id}/results`} size="sm">
              Why, and how sure
            </Anchor>
          </Panel>
        )}
        {!ended && (
          <Panel>
            <Progress
              value={100 * share}
              aria-label={`Progress of ${name}`}
              transitionDuration={0}
              size="lg"
            />
            <Text size="sm" mt={6}>
              {percent(share, 0)} · {trials}
              {progress.eta_seconds ? ` · about ${duration(progress.eta_seconds)} of search left` : ''}
              {cost > 0 ? ` · ${dollars(cost)} for models` : ''}
            </Text>
          </Panel>
        )}
        {(failure || progress.last_error) && (
          <Alert
            role="alert"
            color="gray"
            icon={<IconAlertTriangle aria-hidden />}
            title={failure ? 'The run failed' : 'The run met an error'}
          >
            {failure || progress.last_error}
          </Alert>
        )}
        {state === 'waiting' && job.approval?.decided === null && (
          <Panel title="Waits for an approval">
            <Decision
              question={{ id: job.approval.question, name, asked: job.approval.asked }}
              elsewhere={job.approval.second_person}
            />
          </Panel>
        )}
        <AgentCards team={team} steps={steps} trials={trials} />
        <LiveCharts id={id} running={!ended} />
        <Panel title="What happened">
          <EventList entries={feed.entries} />
        </Panel>
      </Stack>
    </Page>
  );
}

/** How fresh the page is, and by what way; another way may be chosen. */
function Connection({ following: { status, lastSign, way } }: { following: Following }) {
  const [preferred, prefer] = usePreferredWay();
  if (status === 'ended') return null;
  if (status === 'gone') return <Text span>Its events are no longer stored</Text>;
  const text =
    status === 'live'
      ? `Live by ${WAYS[way]}`
      : status === 'connecting'
        ? 'Connecting'
        : `Reconnecting${lastSign === null ? '' : `, last event ${clock(new Date(lastSign).toISOString())}`}`;
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Button variant="default" size="compact-sm" fw={400}>
          {text}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Receive the events by</Menu.Label>
        <Menu.RadioGroup value={preferred} onChange={(value) => prefer(value as Way)}>
          {Object.entries(WAYS).map(([value, label]) => (
            <Menu.RadioItem key={value} value={value}>
              {label}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
      </Menu.Dropdown>
    </Menu>
  );
}

/** Takes a second press: what was computed stays, but there will be no verdict. */
function Cancel({ job: { id, name, cancelling } }: { job: Job }) {
  const [cancel, { isLoading }] = useCancelMutation();
  const [sure, setSure] = useState(false);
  const confirm = async () => {
    const answer = await cancel({ id, reason: '' });
    setSure(false);
    if (answer.error === undefined) return;
    const { title, text } = problemOf(answer.error as Failure);
    notifications.show({ title, message: text });
  };
  if (!sure) {
    return (
      <Button variant="default" disabled={cancelling} onClick={() => setSure(true)}>
        {cancelling ? 'Cancelling' : 'Cancel'}
      </Button>
    );
  }
  return (
    <>
      <Button loading={isLoading} onClick={() => void confirm()} aria-label={`Cancel ${name} for good`}>
        Yes, cancel it
      </Button>
      <Button variant="default" onClick={() => setSure(false)}>
        Keep running
      </Button>
    </>
  );
}
