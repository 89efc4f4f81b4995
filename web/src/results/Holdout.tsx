import { Button, Group, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';

import { useHoldoutQuery, useOpenHoldoutMutation, type HoldoutStatus } from '../api/holdout';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { IconLock, IconLockOpen } from '../app/icons';
import { Panel } from '../app/Page';
import { Answered } from '../app/states';
import { Term } from '../app/Term';
import { date, NOTHING, sentenceCase } from '../numbers/format';
import { figureText, type Figure } from '../numbers/figure';
import { Rows } from './Rows';

const ONCE =
  'It can be opened only once. Every later report says so, and no later choice can be tested on these days.';

/** Whether the locked holdout was opened, and what it shows. */
export function Holdout({ job }: { job: string }) {
  const status = useHoldoutQuery(job);
  return (
    <Panel title="The locked holdout">
      <Answered query={status}>{(content) => <Status job={job} status={content} />}</Answered>
    </Panel>
  );
}

function Status({ job, status }: { job: string; status: HoldoutStatus }) {
  const { state, opened, watermark } = status;
  if (opened) {
    return (
      <>
        <Group gap="xs" mb="sm" wrap="nowrap" align="flex-start">
          <IconLockOpen size={18} aria-hidden />
          <Text fw={600}>{watermark}</Text>
        </Group>
        <Measured figures={opened.figures} />
      </>
    );
  }
  return (
    <Group justify="space-between" gap="sm">
      <Group gap="xs" wrap="nowrap" align="flex-start" maw="80ch">
        <IconLock size={18} aria-hidden />
        <Text>
          <Term name="Holdout">The holdout</Term> was not opened. {wording(status)}
        </Text>
      </Group>
      {state !== 'rejected' && state !== 'unavailable' && <Open job={job} status={status} />}
    </Group>
  );
}

function wording({ state, decided, you_decide: own }: HoldoutStatus): string {
  switch (state) {
    case 'unavailable':
      return 'There is no winner to test on it.';
    case 'rejected':
      return `${decided?.by ?? 'Another person'} rejected it on ${date(decided?.at ?? '')}: ${decided?.reason ?? ''}`;
    case 'approved':
      return `${decided?.by ?? 'Another person'} approved its opening.`;
    case 'waiting':
      return own ? 'Its opening waits for your decision.' : 'Its opening waits for a second person.';
    default:
      return 'Its days are the newest, and no choice has used them: they are the last test of the winner.';
  }
}

function Open({ job, status: { state, you_decide: own } }: { job: string; status: HoldoutStatus }) {
  const [open, { isLoading }] = useOpenHoldoutMutation();
  const asks = !own && state === 'locked';
  if (!own && state === 'waiting') return null;
  const send = async () => {
    const { error } = await open({ job, approve: own && state !== 'approved' });
    if (error === undefined) return;
    const { title, text } = problemOf(error as Failure);
    notifications.show({ title, message: text });
  };
  const ask = () =>
    modals.openConfirmModal({
      title: asks ? 'Ask a second person to open the holdout?' : 'Open the holdout?',
      children: <Text size="sm">{ONCE}</Text>,
      labels: { confirm: asks ? 'Ask for it' : 'Open it, once', cancel: 'Keep it locked' },
      closeButtonProps: { 'aria-label': 'Close' },
      onConfirm: () => void send(),
    });
  return (
    <Button variant="default" loading={isLoading} onClick={ask}>
      {asks ? 'Ask to open the holdout' : 'Open the holdout'}
    </Button>
  );
}

const RULES = {
  winner: 'Winner',
  benchmark: 'Constant weight, same volatility',
  asset: 'Fully invested',
} as const;

/** The winner beside its benchmarks on the days of the holdout. */
function Measured({ figures }: { figures: readonly Figure[] }) {
  const byId = new Map(figures.map((figure) => [figure.id, figure]));
  const metrics = figures.flatMap(({ id, quantity }) => {
    const name = id.match(/^holdout_winner_(.+)$/)?.[1];
    return name === undefined
      ? []
      : [{ name, label: quantity.replace(/ of the winner on the holdout$/, '') }];
  });
  const advantage = byId.get('holdout_advantage_bps');
  return (
    <>
      {advantage !== undefined && (
        <Text mb="xs">
          {sentenceCase(advantage.quantity)}: <b>{figureText(advantage, { signed: true })}</b>
        </Text>
      )}
      <Rows
        title="On the days of the holdout, a year"
        heads={['', ...Object.values(RULES)]}
        rows={metrics.map(({ name, label }) => ({
          key: name,
          cells: [
            sentenceCase(label),
            ...Object.keys(RULES).map((rule) => {
              const figure = byId.get(`holdout_${rule}_${name}`);
              return figure === undefined ? NOTHING : figureText(figure);
            }),
          ],
        }))}
      />
    </>
  );
}
