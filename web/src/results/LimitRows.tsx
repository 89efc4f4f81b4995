import { useCatalogueQuery } from '../api/catalogue';
import type { Result, Trial } from '../api/results';
import { percent, title } from '../numbers/format';
import { limitValue } from './limits';
import { Rows } from './Rows';

interface Props {
  title: string;
  checks: readonly (Trial['limits'][number] & Partial<Pick<Result['limits'][number], 'binds'>>)[];
}

/** Each limit where it must hold, with what was measured there. */
export function LimitRows({ title: heading, checks }: Props) {
  const { data } = useCatalogueQuery();
  return (
    <Rows
      title={heading}
      heads={['Limit', 'Where', 'State', 'Value', 'At most']}
      rows={checks.map((check) => ({
        key: `${check.limit} ${check.scenario}`,
        cells: [
          data?.limits.find(({ name }) => name === check.limit)?.label ?? title(check.limit),
          title(check.scenario),
          `${check.passed ? 'holds' : 'broken'}${check.binds ? '; other trials broke it' : ''}`,
          limitValue(check.limit, check.statistic),
          limitValue(check.limit, check.allowed) +
            (check.limit === 'max_drawdown' ? ` beyond ${percent(check.bound, 0)}` : ''),
        ],
      }))}
    />
  );
}
