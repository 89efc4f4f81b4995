import { SimpleGrid, Stack, Title } from '@mantine/core';

import { fieldsOf, useCatalogueQuery } from '../api/catalogue';
import type { Charts, Explanation, Result } from '../api/results';
import { labelOf, textOf } from '../app/fields';
import { Panel } from '../app/Page';
import { BarChart } from '../charts/BarChart';
import { Heatmap } from '../charts/Heatmap';
import { LineChart } from '../charts/LineChart';
import { number, percent, title, words } from '../numbers/format';
import { Luck } from './Luck';
import classes from './results.module.css';
import { TrialScatter } from './TrialScatter';

const TRIAL = {
  name: 'Trial',
  format: (value: number) => number(value),
  label: (at: string | number) => `Trial ${at}`,
};
const OBJECTIVE = { name: 'Objective, bps a year', format: (value: number) => number(10_000 * value) };
const SHARE = { name: 'Explained alone', format: (value: number) => percent(value, 0) };
const SPLITS = { name: 'Splits', format: (value: number) => number(value) };

/** How the winner was found, and how much of it is luck. */
export function Search({
  result,
  charts,
  explanation,
}: {
  result: Result;
  charts: Charts;
  explanation: Explanation;
}) {
  const { convergence, risk_return: riskReturn, logits, findings } = charts;
  const importance = Object.entries(result.importance).toSorted(([, a], [, b]) => b - a);
  const edges = logits ? logits.counts.map((_, n) => number(logits.left_edges[n] ?? 0, 1)) : [];
  return (
    <Stack>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        {riskReturn && (
          <Panel>
            <TrialScatter points={riskReturn.points} finding={findings?.risk_return ?? 'Risk and return'} />
          </Panel>
        )}
        {convergence && (
          <Panel>
            <LineChart
              id="convergence"
              title={findings?.convergence ?? 'Convergence'}
              about="Objective of each trial and the best so far, in sample, basis points a year."
              x={convergence.trial}
              xAxis={TRIAL}
              yAxis={OBJECTIVE}
              lines={[
                { name: 'Best so far', values: convergence.running_maximum, role: 'main', shape: 'steps' },
                {
                  name: 'Each trial',
                  values: convergence.objective,
                  role: 'benchmark',
                  shape: 'points',
                },
              ]}
            />
          </Panel>
        )}
        {logits && (
          <Panel>
            <BarChart
              id="logits"
              title={findings?.logits ?? 'Selection on one half, judged on the other'}
              about="Logit of the out-of-sample rank of the selected rule, by split of the history; at or below 0 it ranks below the median."
              label="Logit from"
              categories={edges}
              axis={SPLITS}
              series={[{ name: 'Splits', values: logits.counts, role: 'main' }]}
            />
          </Panel>
        )}
        {importance.length > 0 && (
          <Panel>
            <BarChart
              id="importance"
              title={findings?.importance ?? 'What matters'}
              about="Share of the objective’s differences that each parameter explains alone."
              label="Parameter"
              horizontal
              categories={importance.map(([name]) => labelOf(name))}
              axis={SHARE}
              series={[{ name: 'Share', values: importance.map(([, share]) => share), role: 'main' }]}
            />
          </Panel>
        )}
      </SimpleGrid>
      <Sensitivity heatmaps={charts.sensitivity ?? []} finding={findings?.sensitivity} />
      <Luck result={result} explanation={explanation} />
    </Stack>
  );
}

/** Pairs of parameters, under the one finding about all of them. */
function Sensitivity({
  heatmaps,
  finding,
}: {
  heatmaps: NonNullable<Charts['sensitivity']>;
  finding: string | null | undefined;
}) {
  const { data } = useCatalogueQuery();
  if (heatmaps.length === 0) return null;
  const fields = data === undefined ? [] : fieldsOf(data, 'configuration');
  return (
    <>
      <Title order={2}>{finding === null || finding === undefined ? 'Sensitivity' : words(finding)}</Title>
      <SimpleGrid cols={{ base: 1, lg: 2 }} className={classes.pairs}>
        {heatmaps.map((pair, n) => {
          const value = (parameter: string, text: string) => {
            const field = fields.find(({ name }) => name === parameter);
            return text !== '' && Number.isFinite(Number(text)) ? textOf(Number(text), field) : title(text);
          };
          const [row, column] = [labelOf(pair.row_parameter), labelOf(pair.column_parameter).toLowerCase()];
          return (
            <Panel key={`${row} ${column}`}>
              <Heatmap
                id={`sensitivity-${n + 1}`}
                title={`${row} with ${column}`}
                about={`Mean objective of the trials at each pair, basis points a year: ${row.toLowerCase()} in rows, ${column} in columns.`}
                label={row}
                rows={pair.rows.map((text) => value(pair.row_parameter, text))}
                columns={pair.columns.map((text) => value(pair.column_parameter, text))}
                values={pair.mean}
                counts={pair.n}
                axis={OBJECTIVE}
              />
            </Panel>
          );
        })}
      </SimpleGrid>
    </>
  );
}
