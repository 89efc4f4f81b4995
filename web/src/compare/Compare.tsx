import { Anchor, Button, Group, Select, Switch, Text } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';

import { useComparisonQuery, type SideBySide } from '../api/comparison';
import { useJobsQuery } from '../api/jobs';
import { Page, Panel } from '../app/Page';
import { Answered, Empty } from '../app/states';
import { VERDICTS } from '../app/Verdict';
import { ago } from '../numbers/format';
import { FEWEST, MOST, asBaseline, namesApart, runsOf } from './runs';
import { Outcomes, Settings, Sides, Tests } from './Tables';
import classes from './Compare.module.css';

const OFFERED = 100;

/** `/compare?ids=a,b`: results side by side, each against the first one. */
export function Component() {
  const [query, setQuery] = useSearchParams();
  const runs = runsOf(query.get('ids'));
  const all = query.get('all') === '1';
  const change = (next: readonly string[]) => {
    const search = new URLSearchParams(query);
    search.set('ids', next.join(','));
    setQuery(search);
  };
  const showAll = (value: boolean) => {
    const search = new URLSearchParams(query);
    if (value) search.set('all', '1');
    else search.delete('all');
    setQuery(search);
  };
  return (
    <Page
      title="Compare runs"
      lead="Two to five results side by side. The first column is the baseline; the others show what differs from it."
      actions={
        <Switch
          label="Rows that are equal too"
          checked={all}
          onChange={(event) => showAll(event.currentTarget.checked)}
        />
      }
    >
      <Panel>
        <Choice runs={runs} change={change} />
        {runs.length < FEWEST ? (
          <Empty title={runs.length === 0 ? 'Choose two runs' : 'Choose one more run'}>
            Completed runs can be compared. The address holds the choice, so that a link shares it.
          </Empty>
        ) : (
          <Compared runs={runs} all={all} change={change} />
        )}
      </Panel>
    </Page>
  );
}

interface ChoiceProps {
  runs: readonly string[];
  change: (runs: readonly string[]) => void;
}

function Choice({ runs, change }: ChoiceProps) {
  const jobs = useJobsQuery({ state: 'completed', limit: OFFERED });
  const ended = jobs.data?.items ?? [];
  const names = namesApart(
    ended.map(({ id, name, updated_at: at, result }) => ({
      id,
      name,
      ended: at,
      verdict: result ? VERDICTS[result.verdict].word : undefined,
    })),
  );
  const options = ended
    .filter(({ id }) => !runs.includes(id))
    .map(({ id, name, updated_at: at }) => {
      const label = names.get(id) ?? name;
      return { value: id, label: label === name ? `${name}, ${ago(at)}` : label };
    });
  if (runs.length >= MOST) return null;
  return (
    <Select
      mb="md"
      maw={420}
      aria-label="Add a run"
      placeholder="Add a run"
      searchable
      nothingFoundMessage="No other completed run"
      data={options}
      value={null}
      onChange={(run) => run !== null && change([...runs, run])}
    />
  );
}

function Compared({ runs, all, change }: ChoiceProps & { all: boolean }) {
  const comparison = useComparisonQuery(runs);
  return (
    <Answered query={comparison}>
      {({ jobs, pairs }) => {
        const names = namesApart(
          jobs.map(({ job, name, ended_at: ended, verdict }) => ({
            id: job,
            name,
            ended,
            verdict: VERDICTS[verdict.colour].word,
          })),
        );
        const content = {
          pairs,
          jobs: jobs.map((side) => ({ ...side, name: names.get(side.job) ?? side.name })),
        };
        return (
          <>
            <Sides
              content={content}
              heads={content.jobs.map((side) => ({
                key: side.job,
                head: <Head key={side.job} side={side} runs={runs} change={change} />,
              }))}
            />
            <Tests content={content} />
            <Outcomes content={content} all={all} />
            <Settings content={content} />
          </>
        );
      }}
    </Answered>
  );
}

function Head({ side, runs, change }: ChoiceProps & { side: SideBySide['jobs'][number] }) {
  const base = runs[0] === side.job;
  return (
    <div className={classes.head}>
      <Anchor component={Link} to={`/runs/${side.job}/results`} fw={600}>
        {side.name}
      </Anchor>
      <Group gap={4} justify="flex-end">
        {base ? (
          <Text size="sm" c="dimmed">
            Baseline
          </Text>
        ) : (
          <Button
            size="compact-sm"
            fz="xs"
            px={4}
            variant="subtle"
            aria-label={`As baseline: ${side.name}`}
            onClick={() => change(asBaseline(runs, side.job))}
          >
            As baseline
          </Button>
        )}
        <Button
          size="compact-sm"
          fz="xs"
          px={4}
          variant="subtle"
          aria-label={`Remove ${side.name}`}
          onClick={() => change(runs.filter((run) => run !== side.job))}
        >
          Remove
        </Button>
      </Group>
    </div>
  );
}
