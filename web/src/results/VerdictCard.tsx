import { Group, Text } from '@mantine/core';

import { requestOf, type Explanation, type Result } from '../api/results';
import { IconAlertTriangle } from '../app/icons';
import { Verdict, VERDICTS } from '../app/Verdict';
import { bps, interval, number, percent } from '../numbers/format';
import { FigureLink } from './FigureLink';
import { configurationWords, evidenceNeeds, evidenceValue } from './numbers';
import { Passed } from './Passed';
import classes from './results.module.css';

/** What to do, why, how sure; the benefit beside it, small and grey where luck explains it. */
export function VerdictCard({ result, explanation }: { result: Result; explanation: Explanation }) {
  const { colour, advice, headline, reason, warnings, certainty } = explanation;
  const { tone } = VERDICTS[colour];
  return (
    <section className={classes.card} data-tone={tone} aria-label="Verdict">
      <div className={classes.answer}>
        <div>
          <Group gap="xs" align="baseline">
            <Verdict colour={colour} size="lg" />
            {colour !== 'infeasible' && (
              <Text span size="sm" c="dimmed">
                The light is {colour}, of red, amber and green
              </Text>
            )}
          </Group>
          <p className={classes.advice}>{advice || headline}</p>
          <Text maw="80ch">
            <b>Why.</b> {advice ? `${headline}. ` : ''}
            {reason}
          </Text>
          <Text maw="80ch" mt={6} c="dimmed">
            <b>How sure.</b> {certainty.join(' ')}
          </Text>
          {warnings.map((warning) => (
            <Text key={warning} mt={6} fw={600} maw="80ch">
              <IconAlertTriangle size={16} aria-hidden /> {warning}
            </Text>
          ))}
        </div>
        <Benefit result={result} explanation={explanation} />
      </div>
      <ul className={classes.evidence} aria-label="The tests of the verdict">
        {explanation.evidence
          .filter(({ decides }) => decides)
          .map((item) => (
            <li key={item.statistic}>
              <Text size="sm" c="dimmed">
                {item.label}
              </Text>
              <Text fw={600}>
                <Passed passed={item.passed} />{' '}
                <FigureLink id={item.value === null ? null : item.statistic}>
                  {evidenceValue(item)}
                </FigureLink>{' '}
                <Text span size="sm" c="dimmed" fw={400}>
                  {`${item.passed ? 'passes' : 'fails'}: ${evidenceNeeds(item)}`}
                </Text>
              </Text>
            </li>
          ))}
      </ul>
    </section>
  );
}

function Benefit({ result, explanation }: { result: Result; explanation: Explanation }) {
  const { benefit, counts } = result;
  if (benefit === null || benefit === undefined) {
    return (
      <div className={classes.benefit}>
        <Text size="sm" c="dimmed">
          Strategies that meet the limits
        </Text>
        <strong>0 of {number(counts.trials)}</strong>
      </div>
    );
  }
  return (
    <div className={classes.benefit} data-hindsight={explanation.hindsight === null ? undefined : ''}>
      <Text size="sm" c="dimmed">
        {explanation.hindsight ?? 'Benefit a year, after costs'}
      </Text>
      <strong>
        <FigureLink id="benefit_bps">{bps(benefit.basis_points.value)}</FigureLink>
      </strong>
      <Text size="sm">95% interval {interval(benefit.low, benefit.high)} bps</Text>
      <Text size="sm" c="dimmed">
        over a constant weight of {percent(benefit.benchmark_weight, 0)}, which has the same volatility;{' '}
        {explanation.benefit_error}
      </Text>
      <OwnRule result={result} />
    </div>
  );
}

/** What the winner gains over the rule that the user follows today. */
function OwnRule({ result }: { result: Result }) {
  const rule = result.benchmarks.find(({ name }) => name === 'current_rule');
  const own = requestOf(result).current_rule;
  if (rule === undefined || !own) return null;
  return (
    <>
      <strong className={classes.second}>
        <FigureLink id="versus_current_rule_bps">{bps(rule.winner_minus_bps.value)}</FigureLink>
      </strong>
      <Text size="sm" c="dimmed">
        against your current rule: {configurationWords(own)}
      </Text>
    </>
  );
}
