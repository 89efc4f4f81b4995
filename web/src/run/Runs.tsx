import { Anchor, Button, Checkbox, Group, Select, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';
import { Link, useSearchParams } from 'react-router';

import { ENDED, useJobsQuery, type JobPage, type JobSummary } from '../api/jobs';
import { Page, Panel } from '../app/Page';
import { stageOf } from '../app/stages';
import { MOST, runsOf } from '../compare/runs';
import { Answered, Empty } from '../app/states';
import { Verdict } from '../app/Verdict';
import { ago, bps, interval, moment, NOTHING, percent } from '../numbers/format';
import classes from './Run.module.css';

const EVERY_MS = 4_000;
const SIZE = 25;
const STATES = (
  [
    'queued',
    'running',
    'aggregating',
    'waiting',
    'completed',
    'failed',
    'cancelled',
    'rejected',
    'expired',
  ] satisfies JobSummary['state'][]
).map((value) => ({ value, label: stageOf(value) }));

/** All runs, the newest first; the filters and the page stand in the address. */
export function Component() {
  const [address, setAddress] = useSearchParams();
  const state = address.get('state') ?? '';
  const name = address.get('q') ?? '';
  const after = address.get('after') ?? '';
  const chosen = runsOf(address.get('sel'));
  const jobs = useJobsQuery(
    {
      limit: SIZE,
      ...(state === '' ? {} : { state: state as JobSummary['state'] }),
      ...(name === '' ? {} : { name }),
      ...(after === '' ? {} : { after }),
    },
    { pollingInterval: EVERY_MS, skipPollingIfUnfocused: true },
  );
  const change = (part: Record<string, string>, replace = false) =>
    setAddress(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [key, value] of Object.entries({ ...part })) {
          if (value === '') next.delete(key);
          else next.set(key, value);
        }
        return next;
      },
      { replace },
    );
  return (
    <Page title="Runs" lead="Every search, with what it found and how sure it is.">
      <Panel>
        <Group mb="sm" gap="sm">
          <Select
            aria-label="State"
            placeholder="Any state"
            clearable
            clearButtonProps={{ 'aria-label': 'Any state' }}
            data={STATES}
            value={state === '' ? null : state}
            onChange={(value) => change({ state: value ?? '', after: '' })}
          />
          {chosen.length > 0 && (
            <Button variant="default" component={Link} to={`/compare?ids=${chosen.join(',')}`}>
              Compare {chosen.length} of {MOST}
            </Button>
          )}
          <NameFilter value={name} change={(value) => change({ q: value, after: '' }, true)} />
        </Group>
        <Answered query={jobs}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty
                title={state === '' && name === '' ? 'No run yet' : 'No run matches'}
                action={
                  state === '' && name === '' ? undefined : (
                    <Button variant="default" size="xs" mt="xs" onClick={() => setAddress({})}>
                      Reset the filters
                    </Button>
                  )
                }
              >
                {state === '' && name === ''
                  ? 'A search appears here when it is launched from a strategy, by the demo or by the assistant.'
                  : 'Another name or state may.'}
              </Empty>
            ) : (
              <Rows page={page} chosen={chosen} choose={(runs) => change({ sel: runs.join(',') }, true)} />
            )
          }
        </Answered>
        <Group mt="sm" gap="xs">
          {after !== '' && (
            <Button variant="default" size="xs" onClick={() => change({ after: '' })}>
              Newest
            </Button>
          )}
          {jobs.data?.next && (
            <Button variant="default" size="xs" onClick={() => change({ after: jobs.data?.next ?? '' })}>
              Older
            </Button>
          )}
        </Group>
      </Panel>
    </Page>
  );
}

/** Keeps the focus while its text becomes a part of the address, and follows an address that others change. */
function NameFilter({ value, change }: { value: string; change: (value: string) => void }) {
  const [text, setText] = useState(value);
  const applied = useRef(value);
  useEffect(() => {
    if (value !== applied.current) setText(value);
    applied.current = value;
  }, [value]);
  const apply = useDebouncedCallback((next: string) => {
    applied.current = next;
    change(next);
  }, 300);
  return (
    <TextInput
      aria-label="Name contains"
      placeholder="Name contains"
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        apply(event.currentTarget.value);
      }}
    />
  );
}

interface RowsProps {
  page: JobPage;
  chosen: readonly string[];
  choose: (runs: readonly string[]) => void;
}

function Rows({ page: { items }, chosen, choose }: RowsProps) {
  return (
    <div className={classes.table}>
      <Table verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col" w={36} aria-label="Compare" />
            <Table.Th scope="col">Run</Table.Th>
            <Table.Th scope="col">Verdict or state</Table.Th>
            <Table.Th scope="col" className={classes.number}>
              Benefit a year
            </Table.Th>
            <Table.Th scope="col" visibleFrom="md">
              Winner
            </Table.Th>
            <Table.Th scope="col" visibleFrom="sm" className={classes.number}>
              Changed
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((job) => (
            <Row
              key={job.id}
              job={job}
              chosen={chosen.includes(job.id)}
              full={chosen.length >= MOST}
              choose={(add) => choose(add ? [...chosen, job.id] : chosen.filter((run) => run !== job.id))}
            />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

interface RowProps {
  job: JobPage['items'][number];
  chosen: boolean;
  full: boolean;
  choose: (add: boolean) => void;
}

function Row({ job, chosen, full, choose }: RowProps) {
  const { id, name, state, result, progress, waiting_for: decider, updated_at: updated } = job;
  return (
    <Table.Tr>
      <Table.Td>
        {state === 'completed' && (
          <Checkbox
            aria-label={`Compare ${name}`}
            checked={chosen}
            disabled={full && !chosen}
            onChange={(event) => choose(event.currentTarget.checked)}
          />
        )}
      </Table.Td>
      <Table.Th scope="row" className="name">
        <Anchor component={Link} to={state === 'completed' ? `/runs/${id}/results` : `/runs/${id}`}>
          {name}
        </Anchor>
      </Table.Th>
      <Table.Td>
        {result ? <Verdict colour={result.verdict} /> : <Text size="sm">{stateText(state, decider)}</Text>}
        {!ENDED.has(state) && progress && (
          <Text size="xs" c="dimmed">
            {stageOf(progress.stage)}, {percent(progress.share, 0)}
          </Text>
        )}
      </Table.Td>
      <Table.Td className={classes.number}>
        <Benefit result={result} />
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm">{result?.winner ?? NOTHING}</Text>
      </Table.Td>
      <Table.Td visibleFrom="sm" className={classes.number} title={moment(updated)}>
        {ago(updated)}
      </Table.Td>
    </Table.Tr>
  );
}

function stateText(state: string, decider: JobPage['items'][number]['waiting_for']): string {
  if (decider === 'you') return 'Waits for your approval';
  if (decider === 'another_person') return 'Waits for another person';
  return stageOf(state);
}

/** Grey where the verdict does not say that it is more than luck. */
function Benefit({ result }: { result: JobPage['items'][number]['result'] }) {
  if (!result || typeof result.benefit_bps !== 'number') return <>{NOTHING}</>;
  const { benefit_bps: benefit, benefit_low_bps: low, benefit_high_bps: high, verdict } = result;
  return (
    <>
      <Text span size="sm" {...(verdict === 'green' ? { fw: 600 } : { c: 'dimmed' })}>
        {bps(benefit)}
      </Text>
      {typeof low === 'number' && typeof high === 'number' && (
        <Text size="xs" c="dimmed">
          {interval(low, high)}
        </Text>
      )}
    </>
  );
}
