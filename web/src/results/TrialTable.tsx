import { Anchor, ScrollArea, Table, UnstyledButton } from '@mantine/core';

import type { TrialPage } from '../api/results';
import { NOTHING, number } from '../numbers/format';
import { limitsKept } from './limits';
import classes from './results.module.css';
import { configurationWords, inBps, metricValue } from './numbers';

type Row = TrialPage['items'][number];

const SHOWN = ['utility', 'geometric_return', 'volatility', 'sharpe', 'max_drawdown', 'turnover'] as const;

interface Props {
  rows: readonly Row[];
  sort: string;
  descending: boolean;
  order: (name: string) => void;
  open: (digest: string) => void;
  metrics: readonly { name: string; label: string; unit: string }[];
  limits: readonly { name: string; label: string }[];
}

export function TrialTable({ rows, sort, descending, order, open, metrics, limits }: Props) {
  const columns = SHOWN.map((name) => ({ name, row: metrics.find((each) => each.name === name) }));
  const heads = [
    { name: 'number', label: 'Trial' },
    { name: 'objective', label: 'Objective, bps' },
    ...columns.map(({ name, row }) => ({ name, label: row?.label ?? name })),
  ];
  return (
    <ScrollArea type="auto" viewportProps={{ tabIndex: 0, 'aria-label': 'Trials', role: 'group' }}>
      <Table aria-label="Trials" highlightOnHover horizontalSpacing={6} className={classes.rows}>
        <Table.Thead>
          <Table.Tr>
            {heads.map(({ name, label }) => (
              <Table.Th
                key={name}
                scope="col"
                ta={name === 'number' ? 'left' : 'right'}
                aria-sort={name !== sort ? 'none' : descending ? 'descending' : 'ascending'}
              >
                <UnstyledButton fz="sm" fw={600} onClick={() => order(name)}>
                  {label} {name !== sort ? '' : descending ? '↓' : '↑'}
                </UnstyledButton>
              </Table.Th>
            ))}
            <Table.Th scope="col" pl="lg">
              Limits
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row) => (
            <Table.Tr key={row.digest} fw={row.chosen ? 600 : undefined}>
              <Table.Th scope="row" fw={row.chosen ? 600 : 400} className={classes.trial}>
                <Anchor component="button" size="sm" ta="left" onClick={() => open(row.digest)}>
                  {number(row.number)}: {configurationWords(row.config)}
                  {row.chosen ? ' (the winner)' : ''}
                </Anchor>
              </Table.Th>
              <Table.Td ta="right">{row.objective === null ? NOTHING : inBps(row.objective)}</Table.Td>
              {columns.map(({ name, row: metric }) => (
                <Table.Td key={name} ta="right">
                  {metricValue(row.metrics[name].value, metric?.unit ?? 'percent')}
                </Table.Td>
              ))}
              <Table.Td pl="lg" className={classes.words}>
                {row.feasible === null ? NOTHING : limitsKept({ ...row, feasible: row.feasible }, limits)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea>
  );
}
