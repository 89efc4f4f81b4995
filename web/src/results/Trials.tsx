import { useCatalogueQuery } from '../api/catalogue';
import { Button, Group, Select, SimpleGrid, Stack, Text } from '@mantine/core';
import { useCallback, useMemo } from 'react';

import { useTrialsQuery, type Charts, type Result, type TrialPage, type TrialQuery } from '../api/results';
import { Panel } from '../app/Page';
import { Answered, Empty } from '../app/states';
import { ParallelChart } from '../charts/ParallelChart';
import { number, plural, title, words } from '../numbers/format';
import { AXES, inRanges, readBrush, writeBrush, type Brush, type Field } from './brush';
import { TrialScatter } from './TrialScatter';
import { TrialTable } from './TrialTable';
import { useView } from './view';

const SIZE = 25;
const HISTORY = 'history';

/** Every trial: scatter, parallel coordinates and table show the same selection, which the address holds. */
export function Trials({ id, result, charts }: { id: string; result?: Result; charts: Charts }) {
  const view = useView();
  const { set } = view;
  const text = view.get('brush');
  const brush = useMemo(() => readBrush(text), [text]);
  const points = useMemo(() => charts.risk_return?.points ?? [], [charts]);
  const selected = useMemo(() => points.map((point) => inRanges(point, brush)), [points, brush]);
  const select = useCallback(
    (changes: Brush, replace = false) =>
      set({ brush: writeBrush({ ...readBrush(text), ...changes }), after: null, page: null }, { replace }),
    [set, text],
  );
  // an axis reports every step of a drag: one entry of the history would be hundreds
  const narrow = useCallback(
    (field: string, range: Brush[Field]) => select({ [field as Field]: range }, true),
    [select],
  );
  const count = selected.filter(Boolean).length;
  const lines = useMemo(
    () =>
      points.map((point) => ({
        label: `Trial ${point.trial}, ${words(point.weight_function)}`,
        values: AXES.map(({ field }) => point[field]),
        chosen: point.chosen,
      })),
    [points],
  );
  if (points.length === 0) return <Empty title="No trial yet">A search fills this table as it tries.</Empty>;
  return (
    <Stack>
      <Group justify="space-between" gap="sm">
        <Text>
          {text === null
            ? `${plural(points.length, 'trial')}; drag over the scatter or along an axis to select.`
            : `${number(count)} of ${plural(points.length, 'trial')} selected`}
        </Text>
        {text !== null && (
          <Button variant="default" size="xs" onClick={() => set({ brush: null, after: null, page: null })}>
            Clear the selection
          </Button>
        )}
      </Group>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Panel>
          <TrialScatter
            points={points}
            finding={charts.findings?.risk_return ?? 'Risk and return'}
            selected={selected}
            brush={brush}
            select={select}
          />
        </Panel>
        <Panel>
          <ParallelChart
            id="parallel"
            title={
              text === null ? 'Each trial on its four measures' : `${number(count)} trials within the ranges`
            }
            about="Means over the scenarios, in sample. Drag along an axis to select a range."
            label="Trial"
            axes={AXES}
            lines={lines}
            selected={selected}
            ranges={brush}
            narrow={narrow}
          />
        </Panel>
      </SimpleGrid>
      <Panel>
        <Paged id={id} brush={text} {...(result === undefined ? {} : { result })} />
      </Panel>
    </Stack>
  );
}

function Paged({ id, result, brush }: { id: string; result?: Result; brush: string | null }) {
  const view = useView();
  const { data: catalogue } = useCatalogueQuery();
  const sort = view.get('sort') ?? 'objective';
  const descending = !sort.startsWith('~');
  const scenario = view.get('sc') ?? HISTORY;
  const page = Math.max(1, Math.trunc(Number(view.get('page'))) || 1);
  const query = {
    sort: sort.replace('~', ''),
    order: descending ? 'desc' : 'asc',
    scenario,
    limit: SIZE,
    after: view.get('after'),
    ...(view.get('fn') === null ? {} : { weight_function: [view.get('fn')] }),
    ...(view.get('fits') === null ? {} : { feasible: view.get('fits') === 'yes' }),
    ...(brush === null ? {} : { within: brush.split(';') }),
  } as TrialQuery;
  const trials = useTrialsQuery({ job: id, query });
  const again = { after: null, page: null };
  const scenarios = [HISTORY, ...(result?.manifest.request.scenarios ?? []).map(({ name }) => name)];
  return (
    <>
      <Group gap="sm" mb="sm" align="flex-end">
        <Select
          label="Metrics in"
          data={scenarios.map((name) => ({ value: name, label: title(name) }))}
          value={scenario}
          onChange={(value) => view.set({ sc: value === HISTORY ? null : value, ...again })}
          allowDeselect={false}
          w={170}
        />
        <Select
          label="Weight function"
          data={(catalogue?.weight_functions ?? []).map(({ name, title: words }) => ({
            value: name,
            label: title(words),
          }))}
          value={view.get('fn')}
          onChange={(value) => view.set({ fn: value, ...again })}
          clearable
          placeholder="All"
          w={210}
        />
        <Select
          label="Limits"
          data={[
            { value: 'yes', label: 'Met' },
            { value: 'no', label: 'Broken' },
          ]}
          value={view.get('fits')}
          onChange={(value) => view.set({ fits: value, ...again })}
          clearable
          placeholder="All"
          w={130}
        />
      </Group>
      <Answered query={trials}>
        {(answer: TrialPage) => (
          <>
            <TrialTable
              rows={answer.items}
              sort={sort.replace('~', '')}
              descending={descending}
              order={(name) =>
                view.set({ sort: name === sort ? `~${name}` : name === 'objective' ? null : name, ...again })
              }
              open={(digest) => view.set({ trial: digest })}
              metrics={catalogue?.metrics ?? []}
              limits={catalogue?.limits ?? []}
            />
            <Group justify="space-between" mt="sm">
              <Text size="sm" c="dimmed">
                Page {number(page)} of {number(Math.max(1, Math.ceil(answer.total / SIZE)))},{' '}
                {plural(answer.total, 'trial')}
              </Text>
              <Group gap="xs">
                <Button variant="default" size="xs" disabled={page === 1} onClick={() => view.set(again)}>
                  First page
                </Button>
                <Button
                  variant="default"
                  size="xs"
                  disabled={answer.next === null}
                  onClick={() => view.set({ after: answer.next, page: String(page + 1) })}
                >
                  Next page
                </Button>
              </Group>
            </Group>
          </>
        )}
      </Answered>
    </>
  );
}
