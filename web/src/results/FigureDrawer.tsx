import { Code, Drawer, Stack, Text } from '@mantine/core';

import type { Explanation } from '../api/results';
import { errorText, unitWords } from '../numbers/figure';
import { sentenceCase } from '../numbers/format';
import { Facts } from './Facts';
import classes from './results.module.css';
import { useView } from './view';

type Source = Explanation['figures'][number];

/** The computation of one number, as `?fig=` names it. */
export function FigureDrawer({ explanation }: { explanation: Explanation }) {
  const view = useView();
  const id = view.get('fig');
  const figure = explanation.figures.find((each) => each.id === id);
  const close = () => view.set({ fig: null });
  return (
    <Drawer
      opened={id !== null}
      onClose={close}
      position="right"
      size="md"
      title={figure === undefined ? 'No such number' : 'How this number was computed'}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {figure === undefined ? (
        <Text size="sm">This result has no number with the name {id}. It may come from another result.</Text>
      ) : (
        <Stack gap="sm">
          <Text fz={24} fw={620} data-exact={String(figure.value)}>
            {figure.text}
          </Text>
          <Text>{sentenceCase(figure.quantity)}.</Text>
          <Facts
            facts={[
              ['Unit', unitWords(figure.unit)],
              ...(figure.error === null
                ? []
                : [['Standard error', errorWords(figure.error, figure.unit)] as const]),
              ...(figure.computation === '' ? [] : [['Computation', figure.computation] as const]),
            ]}
          />
          <Text size="sm" c="dimmed">
            Code computed this number; no language model wrote it.
          </Text>
          <Trace key={figure.id} figure={figure} job={explanation.job} />
        </Stack>
      )}
    </Drawer>
  );
}

const errorWords = (error: number, unit: Source['unit']): string =>
  `${errorText(error, unit)}, the typical distance of such an estimate from the true value`;

/** What finds the number in the program and in its files. */
function Trace({ figure, job }: { figure: Source; job: string }) {
  return (
    <details className={classes.developers}>
      <summary>For developers</summary>
      <Facts
        facts={[
          ['Value, in full precision', <Code key="value">{String(figure.value)}</Code>],
          ...(figure.error === null
            ? []
            : [
                [
                  'Standard error, in full precision',
                  <Code key="error">{String(figure.error)}</Code>,
                ] as const,
              ]),
          ['Unit', <Code key="unit">{figure.unit}</Code>],
          ['Field of the computation', <Code key="field">{figure.field}</Code>],
          ['Listed to the agents by', <Code key="tool">{figure.tool}</Code>],
          ['Name', <Code key="id">{figure.id}</Code>],
          ['Run', <Code key="job">{job}</Code>],
        ]}
      />
      <Text size="sm" c="dimmed" mt="sm">
        Fractions are stored as fractions, and basis points are those of a year.
      </Text>
    </details>
  );
}
