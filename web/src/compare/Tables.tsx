import { Table, Text, Title } from '@mantine/core';
import { Fragment, type ReactNode } from 'react';

import { useCatalogueQuery } from '../api/catalogue';
import type { SideBySide } from '../api/comparison';
import { choicesInWords } from '../app/fields';
import { Verdict } from '../app/Verdict';
import { date, interval, NOTHING, number, pValue, sentenceCase } from '../numbers/format';
import { figureText, type Figure } from '../numbers/figure';
import { configurationWords, evidenceNeeds, evidenceValue } from '../results/numbers';
import { Passed } from '../results/Passed';
import classes from './Compare.module.css';

type Pair = SideBySide['pairs'][number];

interface GridProps {
  title: string;
  label: string;
  heads: readonly { key: string; head: ReactNode }[];
  rows: readonly { key: string; name: ReactNode; cells: readonly ReactNode[] }[];
}

/** Runs as columns. */
function Grid({ title, label, heads, rows }: GridProps) {
  return (
    <section>
      <Title order={2} mb={4}>
        {title}
      </Title>
      <Table.ScrollContainer
        minWidth={110 + 105 * heads.length}
        type="native"
        tabIndex={0}
        role="group"
        aria-label={title}
      >
        <Table className={classes.table} horizontalSpacing={6} aria-label={title}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{label}</Table.Th>
              {heads.map(({ key, head }) => (
                <Table.Th key={key} scope="col" ta="right">
                  {head}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map(({ key, name, cells }) => (
              <Table.Tr key={key}>
                <Table.Th scope="row" fw={400}>
                  {name}
                </Table.Th>
                {cells.map((cell, column) => (
                  <Table.Td key={heads[column]?.key} ta="right">
                    {cell}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </section>
  );
}

/** The verdicts, the winners, and whether the difference may be chance. */
export function Sides({ content, heads }: { content: SideBySide; heads: GridProps['heads'] }) {
  const { jobs, pairs } = content;
  const difference = (pair: Pair | undefined) => {
    if (pair === undefined) return NOTHING;
    const { difference: found, comparison } = pair;
    if (comparison.identical) return 'The same result';
    if (!found) return 'No test: too few common days, or no winner';
    return (
      <div className={classes.side}>
        <span>{number(found.utility_bps, 0, { signed: true })} bps a year</span>
        <Text size="sm" c="dimmed">
          {interval(found.low, found.high)} bps, p {pValue(found.p_value).replace(/^(?=\d)/, '= ')}
        </Text>
        <Text size="sm" c="dimmed">
          {found.low > 0 || found.high < 0 ? 'More than chance' : 'Chance alone may give it'}, on{' '}
          {date(found.first_day)} to {date(found.last_day)}
        </Text>
      </div>
    );
  };
  const rows = [
    {
      key: 'verdict',
      name: 'Verdict',
      cells: jobs.map(({ verdict }) => (
        <div key={verdict.headline} className={classes.side}>
          <Verdict colour={verdict.colour} />
        </div>
      )),
    },
    {
      key: 'winner',
      name: 'Winner',
      cells: jobs.map(({ winner }) => (winner ? configurationWords(winner) : NOTHING)),
    },
    {
      key: 'difference',
      name: 'The winner’s utility on common days of history, less the baseline’s',
      cells: jobs.map(({ job }, place) =>
        place === 0 ? (
          NOTHING
        ) : (
          <Fragment key={job}>{difference(pairs.find(({ second }) => second === job))}</Fragment>
        ),
      ),
    },
  ];
  return <Grid title="Verdicts and winners" label="" heads={heads} rows={rows} />;
}

/** What decides the colour of each verdict; nothing where a test has no part in that of a run. */
export function Tests({ content: { jobs } }: { content: SideBySide }) {
  const byJob = jobs.map(
    ({ evidence }) =>
      new Map(evidence.filter(({ decides }) => decides).map((item) => [item.statistic, item])),
  );
  const tests = new Map(byJob.flatMap((items) => [...items]));
  if (tests.size === 0) return null;
  const rows = [...tests].map(([statistic, test]) => ({
    key: statistic,
    name: (
      <>
        {test.label}
        <Text size="sm" c="dimmed">
          {evidenceNeeds(test)}
        </Text>
      </>
    ),
    cells: byJob.map((items) => {
      const item = items.get(statistic);
      return item === undefined ? (
        NOTHING
      ) : (
        <div key={statistic} className={classes.side}>
          <span>
            <Passed passed={item.passed} /> {evidenceValue(item)}
          </span>
          <Text size="sm" c="dimmed">
            {item.passed ? 'passes' : 'fails'}
          </Text>
        </div>
      );
    }),
  }));
  const heads = jobs.map(({ job, name }) => ({ key: job, head: name }));
  return <Grid title="The tests of the verdict" label="Test" heads={heads} rows={rows} />;
}

const PREFIX = 'compare_';

/** Key figures of the baseline, and of the others with their difference from it. */
export function Outcomes({ content: { jobs, pairs }, all }: { content: SideBySide; all: boolean }) {
  const byPair = pairs.map(
    ({ comparison }) => new Map(comparison.figures.map((figure) => [figure.id, figure])),
  );
  const names = (pairs[0]?.comparison.figures ?? []).flatMap(({ id, unit }) => {
    const name = id.match(/^compare_(.+)_first$/)?.[1];
    return name === undefined || unit === 'text' || unit === 'date' || name.startsWith('change_')
      ? []
      : [name];
  });
  const figure = (pair: number, name: string, part: string) => byPair[pair]?.get(`${PREFIX}${name}_${part}`);
  const rows = names.flatMap((name) => {
    const changes = pairs.map((_, pair) => figure(pair, name, 'change'));
    if (!all && changes.every((change) => change?.value === 0)) return [];
    const base = figure(0, name, 'first');
    return [
      {
        key: name,
        name: sentenceCase((base?.quantity ?? name).replace(' in the "former result"', '')),
        cells: [
          text(base),
          ...pairs.map((pair, place) => (
            <div key={pair.second} className={classes.side}>
              <span>{text(figure(place, name, 'second'))}</span>
              <Change figure={changes[place]} />
            </div>
          )),
        ],
      },
    ];
  });
  const heads = jobs.map(({ job, name }) => ({ key: job, head: name }));
  return <Grid title="Outcomes" label="Figure" heads={heads} rows={rows} />;
}

function Change({ figure }: { figure: Figure | undefined }) {
  if (figure === undefined || figure.value === 0) return null;
  return (
    <Text size="sm" c="dimmed">
      {figureText(figure, { signed: true })}
    </Text>
  );
}

function text(figure: Figure | undefined): string {
  return figure === undefined ? NOTHING : figureText(figure);
}

/** Settings that differ from the baseline's; empty where a run has the baseline's. */
export function Settings({ content: { jobs, pairs } }: { content: SideBySide }) {
  const { data: catalogue } = useCatalogueQuery();
  const changes = pairs.map(
    ({ comparison }) => new Map(comparison.changes.map((change) => [change.field, change])),
  );
  const fields = [...new Set(changes.flatMap((each) => [...each.keys()]))];
  const rows = fields.map((field) => {
    const found = changes.map((each) => each.get(field));
    const known = found.find((each) => each !== undefined);
    const shown = (value: string) => choicesInWords(value, field, catalogue);
    return {
      key: field,
      name: sentenceCase(known?.words ?? field),
      cells: [
        known === undefined ? NOTHING : shown(known.first),
        ...found.map((each) =>
          each === undefined ? 'as the baseline' : <b key={field}>{shown(each.second)}</b>,
        ),
      ],
    };
  });
  const heads = jobs.map(({ job, name }) => ({ key: job, head: name }));
  const same = pairs.map(({ comparison: { same_data: data, same_code: code } }) => [
    data ? 'same prices' : 'other prices',
    code ? 'same program' : 'other version of the program',
  ]);
  const basis = { key: 'basis', name: 'Basis', cells: [NOTHING, ...same.map((each) => each.join(', '))] };
  return <Grid title="Settings that differ" label="Setting" heads={heads} rows={[...rows, basis]} />;
}
