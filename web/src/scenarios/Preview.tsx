import { Group, Select, Table, Text } from '@mantine/core';
import { useMemo } from 'react';

import type { Catalogue } from '../api/catalogue';
import type { ScenarioPreview } from '../api/scenarios';
import { IconAlertTriangle, IconCircleCheck } from '../app/icons';
import { Panel } from '../app/Page';
import { FanChart } from '../charts/FanChart';
import { date, NOTHING, number, percent, plural } from '../numbers/format';
import { statistic } from './names';
import classes from './scenarios.module.css';

const SESSIONS_A_YEAR = 252;
const BANDS: Record<string, number> = { p5: 0.05, p25: 0.25, p50: 0.5, p75: 0.75, p95: 0.95 };
const LEVELS = Object.values(BANDS);

interface Props {
  preview: ScenarioPreview;
  universe: string;
  choose: (universe: string) => void;
  catalogue: Catalogue;
}

/** Sample paths within the percentiles of many, and the statistics of the paths beside what the scenario states. */
export function Preview({ preview, universe, choose, catalogue }: Props) {
  const { sessions, bands, paths, simulated, first_day: first, last_day: last, drawdowns } = preview;
  const years = useMemo(() => sessions.map((session) => session / SESSIONS_A_YEAR), [sessions]);
  const lines = useMemo(() => Object.keys(BANDS).map((name) => bands[name] ?? []), [bands]);
  const end = (name: string) => number(bands[name]?.at(-1) ?? Number.NaN, 2);
  const horizon = plural(Math.round(years.at(-1) ?? 0), 'year');
  const [usual, bad] = [drawdowns['0.50'], drawdowns['0.95']];
  return (
    <div className={classes.stack}>
      <Panel>
        <FanChart
          id="paths"
          title={`1 becomes ${end('p50')} in ${horizon} on the median path, less than ${end('p5')} on one in twenty`}
          about={`${plural(paths.length, 'sample path')} of the risky leg over the 5%, 25%, 75% and 95% points of ${plural(simulated, 'path')}`}
          years={years}
          levels={LEVELS}
          bands={lines}
          samples={paths}
          height={340}
        />
        {usual !== undefined && bad !== undefined && (
          <Text size="sm" mt="xs">
            At their worst, half of the paths fall by {percent(usual, 0)} or more from a peak, one in twenty
            by {percent(bad, 0)} or more.
          </Text>
        )}
      </Panel>
      <Panel>
        <Group justify="space-between" align="flex-end" mb="xs">
          <Text size="sm" c="dimmed">
            History used: {date(first)} to {date(last)}
          </Text>
          <Select
            size="xs"
            label="Prices"
            allowDeselect={false}
            data={catalogue.data.filter(({ kind }) => kind === 'prices').map(({ name }) => name)}
            value={universe}
            onChange={(name) => choose(name ?? universe)}
          />
        </Group>
        <Statistics preview={preview} />
      </Panel>
    </div>
  );
}

function Statistics({ preview: { moments } }: { preview: ScenarioPreview }) {
  return (
    <Table.ScrollContainer
      minWidth={420}
      type="native"
      tabIndex={0}
      role="group"
      aria-label="Statistics of the paths"
    >
      <Table aria-label="Statistics of the paths">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Statistic</Table.Th>
            <Table.Th scope="col" ta="right">
              Stated
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Of the paths
            </Table.Th>
            <Table.Th scope="col" ta="right">
              Standard error
            </Table.Th>
            <Table.Th scope="col">Check</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {moments.map(({ name, implied, simulated, error, passed }) => {
            const { label, format } = statistic(name);
            return (
              <Table.Tr key={name}>
                <Table.Th scope="row" fw={400}>
                  {label}
                </Table.Th>
                <Table.Td ta="right">{implied === null ? NOTHING : format(implied)}</Table.Td>
                <Table.Td ta="right">{format(simulated)}</Table.Td>
                <Table.Td ta="right">{format(error)}</Table.Td>
                <Table.Td>{passed === null ? '' : <Check passed={passed} />}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Check({ passed }: { passed: boolean }) {
  return (
    <Group gap={4} wrap="nowrap" style={{ whiteSpace: 'nowrap' }}>
      {passed ? (
        <IconCircleCheck size={15} color="var(--tone-positive)" aria-hidden />
      ) : (
        <IconAlertTriangle size={15} color="var(--tone-caution)" aria-hidden />
      )}
      {passed ? 'as stated' : 'not as stated'}
    </Group>
  );
}
