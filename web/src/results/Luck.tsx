import { Text } from '@mantine/core';

import { useCatalogueQuery } from '../api/catalogue';
import type { Explanation, Result } from '../api/results';
import { Panel } from '../app/Page';
import { bps, number, percent } from '../numbers/format';
import { Facts } from './Facts';
import { FigureLink } from './FigureLink';
import { limitsKept } from './limits';
import { configurationWords, evidenceNeeds, evidenceValue, inBps, measured } from './numbers';
import { Rows } from './Rows';

/** The tests for luck, and the finalists that the winner was chosen from. */
export function Luck({ result, explanation }: { result: Result; explanation: Explanation }) {
  const { luck, finalists, winner } = result;
  const { data: catalogue } = useCatalogueQuery();
  if (!luck) return null;
  return (
    <>
      <Panel title="How much of it is luck?">
        <Facts
          facts={[
            ['Configurations tried here', number(luck.trials)],
            [
              'Ever tried on these prices',
              <FigureLink key="ledger" id="ledger_trials">
                {number(luck.ledger_trials)}
              </FigureLink>,
            ],
            ...explanation.evidence.map((item): [string, React.ReactNode] => [
              item.label,
              <span key={item.statistic}>
                <FigureLink id={item.value === null ? null : item.statistic}>
                  {evidenceValue(item)}
                </FigureLink>{' '}
                ({evidenceNeeds(item)})
              </span>,
            ]),
            [
              'Deflated Sharpe ratio, active return',
              <FigureLink key="dsr" id="active_deflated_sharpe">
                {percent(luck.active_deflated_sharpe, 0)}
              </FigureLink>,
            ],
            [
              'Probability of overfitting',
              <span key="pbo">
                <FigureLink id="overfitting">{percent(luck.overfitting, 0)}</FigureLink> (
                {percent(luck.overfitting_low, 0)} to {percent(luck.overfitting_high, 0)})
              </span>,
            ],
            [
              'Superior predictive ability, p-value',
              <FigureLink key="spa" id="spa_p">
                {number(luck.spa_p, 3)}
              </FigureLink>,
            ],
            [
              'Advantage on validation',
              <FigureLink key="validate" id="validate_advantage_bps">
                {bps(luck.validate_advantage_bps)}
              </FigureLink>,
            ],
            ['Effective independent trials', number(luck.effective_trials, 1)],
          ]}
        />
        <Text size="sm" c="dimmed" mt="sm">
          The tests named in the verdict decide its colour; the others are for information.
        </Text>
      </Panel>
      {finalists.length > 0 && (
        <Panel>
          <Rows
            title="Finalists, scored again on fresh paths"
            heads={[
              'Strategy',
              'Objective, bps',
              'Behind the best, bps',
              'Within noise',
              'Plateau',
              'Limits',
            ]}
            rows={finalists.map((each) => ({
              key: each.digest,
              chosen: each.digest === winner?.digest,
              cells: [
                configurationWords(each.config) + (each.digest === winner?.digest ? ' (chosen)' : ''),
                inBps(each.objective),
                measured({
                  value: 10_000 * each.behind_best.value,
                  error: each.behind_best.error ? 10_000 * each.behind_best.error : null,
                }),
                each.indistinguishable ? 'yes' : 'no',
                each.plateau_passed ? 'passed' : 'failed',
                limitsKept(each, catalogue?.limits ?? []),
              ],
            }))}
          />
        </Panel>
      )}
    </>
  );
}
