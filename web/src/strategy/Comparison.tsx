import { Table } from '@mantine/core';
import { memo } from 'react';

import { Term } from '../app/Term';
import { metric } from '../numbers/metric';
import { NOTHING } from '../numbers/format';
import type { Catalogue } from '../api/catalogue';
import type { Rules } from './requests';
import classes from './Preview.module.css';
import { SUBJECTS } from './subjects';

const SHOWN = ['excess_return', 'volatility', 'sharpe', 'max_drawdown', 'turnover', 'cost'] as const;
/** Names of the glossary. */
const TERMS: Partial<Record<(typeof SHOWN)[number], string>> = {
  excess_return: 'Excess return',
  volatility: 'Volatility',
  sharpe: 'Sharpe ratio',
  max_drawdown: 'Drawdown',
  turnover: 'Turnover',
};

interface Props {
  rules: Rules;
  catalogue: Catalogue;
}

/** The strategy beside what it is compared with, on the same days and after the same costs. */
export const Comparison = memo(function Comparison({ rules, catalogue }: Props) {
  const columns = SHOWN.map((name) => ({
    name,
    about: catalogue.metrics.find((each) => each.name === name),
  }));
  return (
    <Table.ScrollContainer
      minWidth={500}
      type="native"
      tabIndex={0}
      role="group"
      aria-label="Comparison on history"
    >
      <Table
        horizontalSpacing={6}
        aria-label="The strategy and its benchmarks on history, a year, after costs"
        stickyHeader
      >
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">A year, after costs</Table.Th>
            {columns.map(({ name, about }) => (
              <Table.Th key={name} scope="col" ta="right">
                <Term name={TERMS[name] ?? ''}>{about?.label ?? name}</Term>
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rules.map(({ subject, history }) => (
            <Table.Tr key={subject} fw={subject === 'strategy' ? 600 : 400}>
              <Table.Th scope="row" fw="inherit" miw={130}>
                {SUBJECTS[subject].name}
              </Table.Th>
              {columns.map(({ name, about }) => {
                const measured = history.metrics[name];
                return (
                  <Table.Td key={name} ta="right" className={classes.number}>
                    {measured && about ? metric(measured.value, about.unit) : NOTHING}
                  </Table.Td>
                );
              })}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
});
