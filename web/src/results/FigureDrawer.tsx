import { Code, Drawer, Stack, Text } from '@mantine/core';

import type { Explanation } from '../api/results';
import { sentenceCase } from '../numbers/format';
import { Facts } from './Facts';
import { useView } from './view';

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
              ['Value, in full precision', <Code key="value">{String(figure.value)}</Code>],
              ['Unit', figure.unit],
              ...(figure.error === null
                ? []
                : [['Standard error', <Code key="error">{String(figure.error)}</Code>] as const]),
              ['Field of the computation', <Code key="field">{figure.field}</Code>],
              ['Listed to the agents by', <Code key="tool">{figure.tool}</Code>],
              ['Name', <Code key="id">{figure.id}</Code>],
              ['Run', <Code key="job">{explanation.job}</Code>],
            ]}
          />
          <Text size="sm" c="dimmed">
            Code computed this number; no language model wrote it. Fractions are stored as fractions, and
            basis points are those of a year.
          </Text>
        </Stack>
      )}
    </Drawer>
  );
}
