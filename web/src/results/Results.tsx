import { Anchor, Button, Group, Menu, SimpleGrid, Stack, Text } from '@mantine/core';
import { Link, useParams } from 'react-router';

import { useCatalogueQuery, type Catalogue } from '../api/catalogue';
import { useJobQuery } from '../api/jobs';
import {
  isWhole,
  requestOf,
  useChartsQuery,
  useExplanationQuery,
  useResultQuery,
  type Charts,
  type Explanation,
  type PartialResult,
  type Result,
} from '../api/results';
import { isMissing } from '../api/problem';
import type { Failure } from '../api/service';
import { NoSuchPage } from '../app/errors';
import { IconAdjustmentsHorizontal, IconDownload } from '../app/icons';
import { Page, Panel } from '../app/Page';
import { Answered, Empty, Waiting } from '../app/states';
import { VERDICTS } from '../app/Verdict';
import { date, number, percent, plural, title } from '../numbers/format';
import { Claims } from './Claims';
import { Costs } from './Costs';
import { FigureDrawer } from './FigureDrawer';
import { Growth } from './Growth';
import { History } from './History';
import { Holdout } from './Holdout';
import { limitValue } from './limits';
import { KeyFigures } from './KeyFigures';
import { Manifest } from './Manifest';
import classes from './results.module.css';
import { Risk } from './Risk';
import { configurationWords } from './numbers';
import { Search } from './Search';
import { TrialDrawer } from './TrialDrawer';
import { Trials } from './Trials';
import { VerdictCard } from './VerdictCard';
import { useView } from './view';

const TABS = {
  verdict: 'Verdict',
  risk: 'Scenarios and risk',
  time: 'On real prices',
  search: 'Search and luck',
  trials: 'Trials',
  costs: 'Benchmarks and costs',
  manifest: 'Assumptions',
} as const;

type Tab = keyof typeof TABS;

/** Of a data set; the assumptions name it. */
const VERSION = /@[0-9a-f]{16}/;

/** A judged result: the verdict first, then everything behind it, with the labels and units of the catalogue. */
export function Component() {
  const { id = '' } = useParams();
  const job = useJobQuery(id);
  if (job.data === undefined && isMissing(job.error as Failure)) return <NoSuchPage />;
  return (
    <Answered query={job} waiting={<Waiting height={400} />}>
      {({ name, state }) =>
        ['completed', 'cancelled', 'failed', 'expired'].includes(state) ? (
          <Ended id={id} name={name} />
        ) : (
          <Page title={name} tab={`${name} - Results`}>
            <Empty
              title={`The run is ${title(state).toLowerCase()}`}
              action={
                <Button component={Link} to={`/runs/${id}`} mt="xs">
                  Watch the run
                </Button>
              }
            >
              Its result stands here when it has ended.
            </Empty>
          </Page>
        )
      }
    </Answered>
  );
}

function Ended({ id, name }: { id: string; name: string }) {
  const result = useResultQuery(id);
  return (
    <Answered query={result} waiting={<Waiting height={400} />}>
      {(content) =>
        isWhole(content) ? <Whole id={id} result={content} /> : <Part id={id} name={name} part={content} />
      }
    </Answered>
  );
}

function Whole({ id, result }: { id: string; result: Result }) {
  const explanation = useExplanationQuery(id);
  const charts = useChartsQuery(id);
  const catalogue = useCatalogueQuery();
  const request = requestOf(result);
  const { counts, manifest } = result;
  return (
    <Page
      title={request.name}
      tab={`${VERDICTS[result.verdict.colour].word}: ${request.name} - Results`}
      lead={`${mandateWords(request, catalogue.data)}${manifest.data_source.replace(VERSION, '')}, ${date(manifest.first_day)} to ${date(manifest.last_day)}. ${plural(counts.trials, 'trial')}, ${plural(counts.scenarios, 'scenario')}, ${number(counts.paths)} paths of ${plural(counts.years, 'year')}.`}
      actions={
        <Group gap="xs" className="no-print">
          <ChangeSearch id={id} />
          <Exports id={id} />
        </Group>
      }
    >
      <Answered query={explanation} waiting={<Waiting height={400} />}>
        {(words) => (
          <Answered query={charts} waiting={<Waiting height={400} />}>
            {(drawn) => (
              <Answered query={catalogue} waiting={<Waiting height={400} />}>
                {() => <Tabbed id={id} result={result} explanation={words} charts={drawn} />}
              </Answered>
            )}
          </Answered>
        )}
      </Answered>
    </Page>
  );
}

/** What was asked for: the target and the limits. */
function mandateWords(
  { mandate, limits }: ReturnType<typeof requestOf>,
  catalogue: Catalogue | undefined,
): string {
  if (catalogue === undefined) return '';
  const bounds = catalogue.limits.flatMap(({ name, label }) => {
    const bound = limits[name]?.bound;
    if (bound === undefined) return [];
    return [
      `${label.toLowerCase()} at most ${name === 'max_drawdown' ? percent(bound, 0) : limitValue(name, bound)}`,
    ];
  });
  const target = mandate.target_volatility;
  const asked = [
    ...(target === null || target === undefined ? [] : [`${percent(target, 0)} volatility`]),
    ...bounds,
  ];
  return asked.length === 0 ? '' : `Asked for ${asked.join(', ')}. `;
}

interface Parts {
  id: string;
  result: Result;
  explanation: Explanation;
  charts: Charts;
}

function Tabbed({ id, result, explanation, charts }: Parts) {
  const view = useView();
  const name = view.get('tab') ?? 'verdict';
  const tab: Tab = name in TABS ? (name as Tab) : 'verdict';
  return (
    <>
      <nav aria-label="Parts of the result" className="no-print">
        <ul className={classes.tabs}>
          {Object.entries(TABS).map(([name, label]) => (
            <li key={name}>
              <Link
                to={view.address({ tab: name === 'verdict' ? null : name })}
                preventScrollReset
                aria-current={name === tab ? 'page' : undefined}
              >
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      {tab === 'verdict' && <Answer id={id} result={result} explanation={explanation} charts={charts} />}
      {tab === 'risk' && <Risk result={result} charts={charts} />}
      {tab === 'time' && <History result={result} charts={charts} explanation={explanation} />}
      {tab === 'search' && <Search result={result} charts={charts} explanation={explanation} />}
      {tab === 'trials' && <Trials id={id} result={result} charts={charts} />}
      {tab === 'costs' && <Costs result={result} />}
      {tab === 'manifest' && <Manifest job={id} result={result} />}
      <FigureDrawer explanation={explanation} />
      <TrialDrawer job={id} />
    </>
  );
}

function Answer({ id, result, explanation, charts }: Parts) {
  return (
    <Stack>
      <VerdictCard result={result} explanation={explanation} />
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Panel>
          <Growth charts={charts} />
        </Panel>
        <Panel title="The winner on the training days">
          {result.winner && (
            <Text size="sm" c="dimmed" mb="sm">
              {configurationWords(result.winner.config)}
            </Text>
          )}
          <KeyFigures result={result} explanation={explanation} />
          {result.winner && (
            <Anchor component={Link} to={`/runs/${id}/trials/${result.winner.digest}`} size="sm">
              All of its numbers, and how to keep it as a strategy
            </Anchor>
          )}
        </Panel>
      </SimpleGrid>
      <Holdout job={id} />
      {explanation.sections.length > 0 && (
        <Panel title="In words">
          <Claims explanation={explanation} />
        </Panel>
      )}
    </Stack>
  );
}

/** The trials of a run that ended without a verdict. */
function Part({ id, name, part }: { id: string; name: string; part: PartialResult }) {
  const charts = useChartsQuery(id);
  const catalogue = useCatalogueQuery();
  return (
    <Page
      title={name}
      tab={`Partial: ${name} - Results`}
      lead={part.partial.join(' ')}
      actions={<ChangeSearch id={id} />}
    >
      <Answered query={charts}>
        {(drawn) => (
          <Answered query={catalogue}>
            {() => (
              <>
                <Trials id={id} charts={drawn} />
                <TrialDrawer job={id} />
              </>
            )}
          </Answered>
        )}
      </Answered>
    </Page>
  );
}

const FILES = [
  ['Report (HTML)', 'format=html'],
  ['Workbook (XLSX)', 'format=xlsx'],
  ['Trials (CSV)', 'format=csv'],
  ['Figures (CSV)', 'format=csv&table=figures'],
  ['Weights on each day (CSV)', 'format=csv&table=weights'],
  ['Everything (JSON)', 'format=json'],
] as const;

/** To the form with what was searched, from which another search starts. */
function ChangeSearch({ id }: { id: string }) {
  return (
    <Button
      component={Link}
      variant="default"
      leftSection={<IconAdjustmentsHorizontal size={16} aria-hidden />}
      to={`/strategies/new?run=${id}`}
    >
      Change and search again
    </Button>
  );
}

function Exports({ id }: { id: string }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconDownload size={16} aria-hidden />}>
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {FILES.map(([label, query]) => (
          <Menu.Item key={query} component="a" href={`/api/jobs/${id}/export?${query}`} download>
            <Text size="sm">{label}</Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
