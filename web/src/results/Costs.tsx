import { SimpleGrid, Stack, Text } from '@mantine/core';

import type { Result } from '../api/results';
import { useCatalogueQuery } from '../api/catalogue';
import { Panel } from '../app/Page';
import { bps, NOTHING, percent, sentenceCase } from '../numbers/format';
import { Facts } from './Facts';
import { FigureLink } from './FigureLink';
import { measured, metricValue } from './numbers';
import classes from './results.module.css';
import { Rows } from './Rows';

const SHOWN = ['geometric_return', 'volatility', 'sharpe', 'max_drawdown'] as const;
type Cases = Result['costs'];

/** Simple rules beside the winner, the next trade, and the benefit under other assumptions. */
export function Costs({ result }: { result: Result }) {
  const { data } = useCatalogueQuery();
  const { benchmarks, luck, next_step: next, winner } = result;
  const columns = SHOWN.map((name) => ({ name, row: data?.metrics.find((each) => each.name === name) }));
  return (
    <Stack>
      <Panel>
        <Rows
          title="Benchmarks on the same days, costs and frequency"
          heads={[
            'Rule',
            'Winner minus rule, bps',
            ...columns.flatMap(({ name, row }) => [
              `${row?.label ?? name}, training`,
              `${row?.label ?? name}, validation`,
            ]),
          ]}
          rows={[
            ...(winner
              ? [
                  {
                    key: 'winner',
                    chosen: true,
                    cells: [
                      'The winner',
                      NOTHING,
                      ...columns.flatMap(({ name, row }) => [
                        metricValue(winner.train.metrics[name].value, row?.unit ?? 'percent'),
                        NOTHING,
                      ]),
                    ],
                  },
                ]
              : []),
            ...benchmarks.map((rule) => ({
              key: rule.name,
              cells: [
                rule.label,
                <FigureLink key="minus" id={`versus_${rule.name}_bps`}>
                  {measured(rule.winner_minus_bps)}
                </FigureLink>,
                ...columns.flatMap(({ name, row }) =>
                  // oxlint-disable-next-line no-underscore-dangle
                  [rule.train, rule.validate_].map((part) =>
                    metricValue(part.metrics[name].value, row?.unit ?? 'percent'),
                  ),
                ),
              ],
            })),
          ]}
          note={
            luck && (
              <Text size="sm" c="dimmed">
                Of the validation days the result keeps the winner’s advantage alone:{' '}
                <FigureLink id="validate_advantage_bps">{bps(luck.validate_advantage_bps)}</FigureLink> a year
                over the constant weight of the same volatility.
              </Text>
            )
          }
        />
      </Panel>
      <SimpleGrid cols={{ base: 1, lg: 2 }} className={classes.pairs}>
        {next && (
          <Panel title="Next trade against your current rule">
            <Facts
              facts={[
                ['As of', next.as_of],
                [
                  'Weight by this strategy',
                  <FigureLink key="today" id="today_weight">
                    {percent(next.today_weight)}
                  </FigureLink>,
                ],
                [
                  'Weight by the current rule',
                  <FigureLink key="current" id="today_current_rule_weight">
                    {percent(next.current_rule_weight)}
                  </FigureLink>,
                ],
                [
                  'Trade, of wealth',
                  <FigureLink key="trade" id="next_trade">
                    {percent(next.next_trade, 1, { signed: true })}
                  </FigureLink>,
                ],
                ['Next rebalancing', next.next_rebalancing],
              ]}
            />
            {(next.assets ?? []).length > 0 && (
              <Rows
                title="In each asset, as shares of wealth"
                heads={['Asset', 'This strategy', 'Current rule', 'Trade']}
                rows={[...(next.assets ?? []), ...(next.safe ? [next.safe] : [])].map((step) => ({
                  key: step.name,
                  cells: [
                    step.name,
                    percent(step.today_weight),
                    percent(step.current_rule_weight),
                    percent(step.next_trade, 1, { signed: true }),
                  ],
                }))}
              />
            )}
            <Text size="sm" c="dimmed" mt="sm">
              A computation on past prices, not an order.
            </Text>
          </Panel>
        )}
        <CaseRows title="At other transaction costs" head="Cost" group="costs" cases={result.costs} />
        <CaseRows
          title="Under other scenario probabilities"
          head="Probabilities"
          group="probabilities"
          cases={result.probabilities}
        />
        <CaseRows
          title={
            result.depends_on_premium
              ? 'The sign of the benefit depends on the premium'
              : 'The benefit keeps its sign under each premium'
          }
          head="Premium"
          group="premium"
          cases={result.premium}
        />
        <CaseRows
          title="If the parameters are wrong"
          head="Changed"
          group="parameter_error"
          cases={result.parameter_error}
        />
      </SimpleGrid>
    </Stack>
  );
}

function CaseRows({
  title,
  head,
  group,
  cases,
}: {
  title: string;
  head: string;
  group: string;
  cases: Cases;
}) {
  if (cases.length === 0) return null;
  return (
    <Panel>
      <Rows
        title={title}
        heads={[head, 'Benefit, bps', 'Same winner']}
        rows={cases.map((each, n) => ({
          key: each.label,
          cells: [
            sentenceCase(each.label),
            <FigureLink key="benefit" id={`${group}_${n}_bps`}>
              {measured(each.benefit_bps)}
            </FigureLink>,
            each.same_winner ? 'yes' : 'no',
          ],
        }))}
      />
    </Panel>
  );
}
