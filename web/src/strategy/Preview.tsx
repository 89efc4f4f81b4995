import { Alert, SimpleGrid, Stack, Text } from '@mantine/core';
import { useMemo } from 'react';

import { IconAlertTriangle } from '../app/icons';
import { Panel } from '../app/Page';
import { Empty, Waiting } from '../app/states';
import { LineChart } from '../charts/LineChart';
import { date, number, percent } from '../numbers/format';
import { Comparison } from './Comparison';
import classes from './Preview.module.css';
import type { Catalogue } from '../api/catalogue';
import type { Picture, Rules } from './requests';
import { ORDER, SUBJECTS } from './subjects';

const PERCENT = { format: (value: number) => percent(value, 0) };
const DAYS = { name: 'Day', format: String, label: (at: string | number) => date(String(at)) };
const WEIGHT = { name: 'Weight', ...PERCENT, zero: true };
const WEALTH = { name: 'Wealth', format: (value: number) => number(value, value < 10 ? 1 : 0), log: true };
const FALL = { name: 'Fall from the peak', ...PERCENT };
const VOLATILITY = {
  name: 'Volatility',
  ...PERCENT,
  label: (at: string | number) => `volatility ${percent(Number(at), 0)}`,
};

interface Props {
  picture: Picture;
  /** What needs simulations, and follows a little later. */
  rules: Rules | undefined;
  rulesStale: boolean;
  catalogue: Catalogue;
  /** Whether a newer one is on its way; the old picture stays. */
  stale: boolean;
  /** Whether it is of an earlier form, because the form as it stands has no preview. */
  outdated: boolean;
}

/** What a strategy would have done: its numbers beside simple rules, its weight today, its wealth and its falls. */
export function Preview({ picture, rules, rulesStale, catalogue, stale, outdated }: Props) {
  const { lines, today, curve, cautions, caveats, first_day: first, last_day: last } = picture;
  const own = rules?.find(({ subject }) => subject === 'strategy')?.history.metrics;
  const period = `${date(first)} to ${date(last)}, after costs`;
  const wealth = useMemo(() => seriesOf(lines.wealth), [lines]);
  const falls = useMemo(() => seriesOf(lines.drawdown, -1).slice(0, 3), [lines]);
  const weights = useMemo(
    () => [{ name: 'Weight', role: 'main' as const, values: lines.weight, area: true }],
    [lines],
  );
  const shape = useMemo(
    () => ({
      x: curve.map(({ volatility }) => volatility),
      lines: [{ name: 'Weight', role: 'main' as const, values: curve.map(({ weight }) => weight) }],
      marks: [{ at: today.volatility, label: `last weeks ${percent(today.volatility)}` }],
    }),
    [curve, today],
  );
  const end = (values: readonly number[] | undefined) => number(values?.at(-1) ?? Number.NaN, 1);
  return (
    <Stack gap="md" className={classes.preview} data-stale={stale || outdated} aria-busy={stale}>
      {outdated && <Text size="sm">The preview shows the last rule without a mistake.</Text>}
      {cautions.map(({ code, message }) => (
        <Alert
          key={code}
          color="gray"
          icon={<IconAlertTriangle aria-hidden />}
          classNames={{ root: classes.caution, icon: classes.cautionIcon }}
        >
          {message}
        </Alert>
      ))}
      {(rules !== undefined || !outdated) && (
        <Panel>
          {rules === undefined ? (
            <Waiting height={150} />
          ) : (
            <div className={classes.preview} data-stale={rulesStale && !stale} aria-busy={rulesStale}>
              <Comparison rules={rules} catalogue={catalogue} />
            </div>
          )}
        </Panel>
      )}
      <SimpleGrid cols={{ base: 1, xl: 2 }} spacing="md">
        <Panel>
          {curve.length > 1 ? (
            <LineChart
              id="weight-curve"
              title={`Holds ${percent(today.weight, 0)} today`}
              about={`Weight by the volatility that the rule estimates. Dotted: the volatility of the last weeks, to ${date(today.as_of)}; the weight of today was set at the last rebalancing`}
              xAxis={VOLATILITY}
              yAxis={WEIGHT}
              height={220}
              {...shape}
            />
          ) : (
            <Empty title={`Holds ${percent(today.weight, 0)} today`}>
              Volatility has no effect on this weight, so there is no curve.
            </Empty>
          )}
        </Panel>
        <Panel>
          <LineChart
            id="wealth"
            title={`1 became ${end(lines.wealth.strategy)}, with a constant weight ${end(lines.wealth.same_volatility)}`}
            about={`Wealth on a log scale, ${period}`}
            x={lines.dates}
            xAxis={DAYS}
            yAxis={WEALTH}
            lines={wealth}
            height={220}
          />
        </Panel>
        <Panel>
          <LineChart
            id="drawdown"
            title={own ? `The deepest fall was ${percent(own.max_drawdown.value)}` : 'Falls'}
            about={`Fall from the highest wealth so far, ${period}`}
            x={lines.dates}
            xAxis={DAYS}
            yAxis={FALL}
            lines={falls}
            height={200}
          />
        </Panel>
        <Panel>
          <LineChart
            id="weight"
            title={own ? `Held ${percent(own.average_weight.value, 0)} on average` : 'Weight'}
            about={`Weight of the risky leg, ${period}`}
            x={lines.dates}
            xAxis={DAYS}
            yAxis={WEIGHT}
            lines={weights}
            height={200}
          />
        </Panel>
      </SimpleGrid>
      <Text size="xs" c="dimmed" component="ul" className={classes.caveats}>
        {caveats.map((caveat) => (
          <li key={caveat}>{caveat}</li>
        ))}
      </Text>
    </Stack>
  );
}

function seriesOf(values: Picture['lines']['wealth'], factor = 1) {
  return ORDER.flatMap((subject) => {
    const line = values[subject];
    return line === undefined ? [] : [{ ...SUBJECTS[subject], values: line.map((value) => factor * value) }];
  });
}
