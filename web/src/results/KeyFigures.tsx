import type { Explanation, Result } from '../api/results';
import { useCatalogueQuery } from '../api/catalogue';
import { measured, metricValue } from './numbers';
import { FigureLink } from './FigureLink';
import classes from './results.module.css';
import { bps, percent } from '../numbers/format';

/** The winner on the training history beside the constant weight of the same volatility. */
const METRICS = ['geometric_return', 'volatility', 'sharpe', 'max_drawdown', 'turnover'] as const;
const FIGURES: Partial<Record<(typeof METRICS)[number], string>> = {
  volatility: 'winner_volatility',
  sharpe: 'winner_sharpe',
  max_drawdown: 'winner_max_drawdown',
  turnover: 'winner_turnover',
};

export function KeyFigures({ result, explanation }: { result: Result; explanation: Explanation }) {
  const { data } = useCatalogueQuery();
  const { winner, benchmarks, benefit } = result;
  if (!winner || !benefit) return null;
  const matched = benchmarks.find(({ name }) => name === 'same_volatility');
  const ids = new Set(explanation.figures.map(({ id }) => id));
  return (
    <dl className={classes.key} aria-label="Key figures">
      {METRICS.map((name) => {
        const row = data?.metrics.find((each) => each.name === name);
        const value = winner.train.metrics[name].value;
        const figure = FIGURES[name];
        const unit = row?.unit ?? 'percent';
        const other = matched?.train.metrics[name].value;
        return (
          <div key={name}>
            <dt>{row?.label ?? name}</dt>
            <dd>
              <FigureLink id={figure !== undefined && ids.has(figure) ? figure : null}>
                {metricValue(value, unit)}
              </FigureLink>
              <small>constant weight {metricValue(other, unit)}</small>
            </dd>
          </div>
        );
      })}
      <div>
        <dt>Timing alone</dt>
        <dd>
          <FigureLink id="benefit_timing_bps">{bps(benefit.timing_bps.value)}</FigureLink>
          <small>the rest of {measured(benefit.basis_points)} is the level of exposure</small>
        </dd>
      </div>
      {result.next_step && (
        <div>
          <dt>Weight on {result.next_step.as_of}</dt>
          <dd>
            <FigureLink id="today_weight">{percent(result.next_step.today_weight)}</FigureLink>
            <small>current rule {percent(result.next_step.current_rule_weight)}</small>
          </dd>
        </div>
      )}
    </dl>
  );
}
